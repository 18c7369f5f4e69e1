"""The project folder, and checked changes to its params.yaml."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from components.corpus.config import SourceConfig
from components.deployment.config import ADDED_LATER, ReleaseConfig
from components.errors import DataError, LianziError, ParameterError
from components.params import Params, check_params, closest, load_params, read_yaml, section_at
from components.replacing import replace_text
from components.sections import Section, Variant
from components.tasks.config import TaskConfig
from flows.checks import check_project
from flows.graph import Stage, read_graph
from flows.inputs import note_inputs

OPEN = ("tasks", "corpus")
"""Sections of params.yaml whose keys are names chosen by the user."""


def project_root() -> Path:
    """Find the folder of dvc.yaml and params.yaml, here or above; it becomes the working directory."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if _is_project(folder):
            os.chdir(folder)
            return folder
    raise ParameterError(f"{here}: no Lianzi project here or above", "cd to the folder that holds dvc.yaml, or use -C")


def ready_project(root: object) -> tuple[Path, list[Stage]]:
    """The project in the folder `root`, found fit to run, and its graph; the folder becomes the working directory.

    Raises LianziError: no project there, params.yaml invalid, the graph unreadable, data that was never pulled, or
    what a stage would fail by.
    """
    folder = project_folder(root)
    params = load_params(folder / "params.yaml")
    stages = read_graph(folder)
    check_data_there(folder, stages)
    check_checkpoint(params, any(stage.name == "pretrain" and not stage.fresh for stage in stages))
    check_project(folder, params, stages)  # its remarks are curation's lines too
    return folder, stages


def project_folder(root: object) -> Path:
    """The folder `root`, which becomes the working directory. Raises ParameterError where no project is in it."""
    if not isinstance(root, str | Path) or not _is_project(Path(root)):
        raise ParameterError(
            f"root: {root}: no Lianzi project there", "name the folder that holds dvc.yaml and params.yaml"
        )
    folder = Path(root).absolute()
    os.chdir(folder)
    return folder


def check_data_there(folder: Path, stages: Collection[Stage]) -> None:
    """Raises DataError where a folder that DVC tracks was never pulled."""
    for stage in stages:
        path = folder / stage.name.removesuffix(".dvc")
        if stage.name.endswith(".dvc") and not path.exists():
            raise DataError(f"{path.name}/: missing", "`dvc pull data` fetches the sample data; or put your own there")


def check_checkpoint(params: Params, pretrain_runs: bool) -> None:
    """Raises LianziError where training cannot start from the checkpoint that params.yaml names.

    Only before its first use: reading a checkpoint takes seconds.
    """
    if params.pretrain.init_from is not None and pretrain_runs:
        from components.modeling.inspection import check_start

        check_start(params)


def _is_project(folder: Path) -> bool:
    # Not Path.is_file, which raises where the folder may not be entered.
    return all(os.path.isfile(folder / name) for name in ("dvc.yaml", "params.yaml"))  # noqa: PTH113


def change_params(path: Path, settings: tuple[str, ...]) -> list[str]:
    """Apply KEY=VALUE settings to params.yaml, keeping its comments; all of them or none.

    Values are YAML. `tasks` and `corpus` take new entries: tasks.mood={kind: …}. Returns a line a change. Raises
    ParameterError before anything is written.
    """
    changes, text = changed_params(path, settings)
    replace_text(path, text)
    return changes


def changed_params(path: Path, settings: tuple[str, ...]) -> tuple[list[str], str]:
    """The same, and nothing is written: a line a change, and the text that params.yaml would have."""
    parsed = [_parse(setting) for setting in settings]
    return _changed(path, lambda content: [_apply(content, keys, value) for keys, value in parsed], "--set")


def changed_project(root: Path, settings: tuple[str, ...]) -> tuple[list[str], list[Stage]]:
    """Apply KEY=VALUE settings to params.yaml, and note the project's inputs. Returns a line a change, and the graph.

    Raises LianziError where a value is wrong or the project is not fit to run with them; params.yaml is then as it was.
    """
    path = root / "params.yaml"
    before = path.read_text(encoding="utf-8") if settings else ""
    changes = change_params(path, settings) if settings else []
    try:
        changes += note_inputs(root)
        return changes, ready_project(root)[1]
    except BaseException:
        if settings:
            replace_text(path, before)
            with suppress(LianziError):
                note_inputs(root)  # folders.yaml too is as params.yaml has it
        raise


def add_source(path: Path, name: str, source: SourceConfig, said: Collection[str]) -> list[str]:
    """Name a source of the corpus in params.yaml. Of one that is there, only the fields in `said` change.

    Returns a line a change.
    """

    def add(content: Any) -> list[str]:
        there = content["corpus"].get(name)
        entry = {key: there[key] if there and key not in said else value for key, value in source.model_dump().items()}
        return [] if there == entry else [_apply(content, ["corpus", name], entry)]

    return _rewrite(path, add, path.name)


def name_tasks(path: Path, tasks: Mapping[str, str], write: bool) -> list[str]:
    """Name other tasks, name -> language, in place of those there, and no source: as a new project begins.

    Returns a line a task. Raises ParameterError before anything is written; nothing is, unless `write`.
    """
    from ruamel.yaml.comments import CommentedMap

    def change(content: Any) -> list[str]:
        example = dict(next(iter(content["tasks"].values())))
        content["tasks"], content["corpus"] = CommentedMap(), _in_one_line({})
        entries = {name: example | {"language": language} for name, language in tasks.items()}
        return [_apply(content, ["tasks", name], entry) for name, entry in entries.items()]

    lines, text = _changed(path, change, "--task")
    if write:
        replace_text(path, text)
    return lines


def take_settings(path: Path, fragment: Mapping[str, Mapping[str, Any]], write: bool) -> list[str]:
    """Merge a part of a params.yaml, section -> parameter -> value: `tasks` and `corpus` are replaced, of other
    sections only the named parameters change.

    Returns a line for each change. Raises ParameterError before anything is written; nothing is written without
    `write`.
    """
    from ruamel.yaml.comments import CommentedMap

    def change(content: Any) -> list[str]:
        lines = []
        for section, values in fragment.items():
            if section in OPEN:
                lines += [
                    f"params.yaml: {section}.{name}: taken out" for name in content[section] if name not in values
                ]
                content[section] = CommentedMap(
                    {name: content[section][name] for name in content[section] if name in values}
                )
            for name, value in values.items():
                if _value(content, [section, name]) != value:
                    lines.append(_apply(content, [section, name], value))
        return lines

    lines, text = _changed(path, change, path.name)
    if write:
        replace_text(path, text)
    return lines


def set_values(path: Path, values: Mapping[str, Any], write: bool) -> dict[str, tuple[Any, Any]]:
    """Set parameters by their dotted names, keeping comments; all of them or none, and none without `write`.

    Returns the old and the new value of each that changes. Raises ParameterError before anything is written.
    """
    content = read_yaml(path)
    before = {name: _value(content, name.split(".")) for name in values}
    changed = {name: (before[name], value) for name, value in values.items() if before[name] != value}

    def change(content: Any) -> list[str]:
        return [_apply(content, name.split("."), value) for name, (_, value) in changed.items()]

    _, text = _changed(path, change, path.name)
    if write and changed:
        replace_text(path, text)
    return changed


def _rewrite(path: Path, change: Callable[[Any], list[str]], origin: str) -> list[str]:
    """Change the content of params.yaml in place, checked before it is written."""
    changes, text = _changed(path, change, origin)
    replace_text(path, text)
    return changes


def _changed(path: Path, change: Callable[[Any], list[str]], origin: str) -> tuple[list[str], str]:
    """The description that `change` gives of its changes to params.yaml, and the checked text with them."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class KeepNull(RoundTripRepresenter):
        """Writes None as `null`, as in params.yaml."""

    KeepNull.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))
    load_params(path)
    yaml = YAML()
    yaml.Representer = KeepNull
    yaml.preserve_quotes = True
    yaml.width = 200
    content = yaml.load(path.read_text(encoding="utf-8"))
    changes = change(content)
    stream = io.StringIO()
    yaml.dump(content, stream)
    check_params(YAML(typ="safe").load(stream.getvalue()), origin)
    return changes, stream.getvalue()


def what_if(path: Path, settings: tuple[str, ...]) -> Params:
    """The params with KEY=VALUE settings applied; the file is not changed. Raises ParameterError."""
    load_params(path)
    content = read_yaml(path)
    for setting in settings:
        _apply(content, *_parse(setting))
    return check_params(content, "--set" if settings else path.name)


def _parse(setting: str) -> tuple[list[str], Any]:
    from ruamel.yaml import YAML, YAMLError

    key, equals, text = setting.partition("=")
    if not equals or not key.strip():
        raise ParameterError(f"--set {setting!r}: expected KEY=VALUE", "for example --set pretrain.steps=50")
    try:
        return key.strip().split("."), YAML(typ="safe").load(text) if text.strip() else ""
    except YAMLError:
        raise ParameterError(f"--set {key}: {text!r} is not a YAML value") from None


def _apply(content: Any, keys: list[str], value: Any) -> str:
    *above, key = keys
    section, dotted = _value(content, above), ".".join(keys)
    known = key in _fields(content, above) or key in _filled_in(content, above)
    new = known or (len(keys) == 2 and keys[0] in OPEN and isinstance(value, dict))
    if not isinstance(section, dict) or (key not in section and not new):
        raise ParameterError(f"--set {dotted}: unknown parameter", _hint(content, keys))
    there, before = key in section, section.get(key)
    section[key] = _in_one_line(value)
    # Another objective or kind: what the one before it alone had goes with it.
    removed = [name for name in section if name not in _fields(content, above)] if _decides(content, keys) else []
    for name in removed:
        del section[name]
    line = f"params.yaml: {dotted}: {f'{_told(before)} -> {_told(value)}' if there else f'{_told(value)}, new'}"
    return f"{line}, without {', '.join(removed)}" if removed else line


def _value(content: Any, keys: Sequence[str]) -> Any:
    """The value under the keys, or None."""
    for key in keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _fields(content: Any, keys: Sequence[str]) -> Collection[str]:
    """The parameters that the section under the keys may have; of a section with several forms, those of the form that
    its content names.
    """
    section = section_at(content, keys)
    return section.model_fields if section is not None and issubclass(section, Variant) else ()


def _filled_in(content: Any, keys: Sequence[str]) -> Collection[str]:
    """The parameters that a params.yaml from before them may lack in the section under the keys."""
    return ADDED_LATER if section_at(content, keys) is ReleaseConfig else ()


def _decides(content: Any, keys: Sequence[str]) -> bool:
    """Whether a parameter decides which others its section has."""
    section = section_at(content, keys[:-1])
    return section is not None and issubclass(section, Variant) and keys[-1] == section.discriminator()


def _hint(content: Mapping[str, Any], keys: list[str]) -> str:
    """Advice for an unknown parameter: the nearest name, or how to add a task or source."""
    section: Any = content
    for place, key in enumerate(keys):
        if not isinstance(section, Mapping):
            return f"{'.'.join(keys[:place])} is a value of its own"
        if key not in section:
            return _hint_at(section, keys, place)
        section = section[key]
    return ""


def _hint_at(section: Mapping[str, Any], keys: list[str], place: int) -> str:
    close = closest(keys[place], section)
    if close is not None:
        rest = keys[place + 1 :]
        right = not rest or (isinstance(section[close], Mapping) and rest[0] in section[close])
        return f"did you mean '{'.'.join([*keys[:place], close, *(rest if right else [])])}'?"
    if place == 1 and keys[0] in OPEN:
        fields: type[Section] = TaskConfig if keys[0] == "tasks" else SourceConfig
        entry = ", ".join(f"{name}: …" for name in fields.model_fields)
        return f"a new entry is added whole: --set '{keys[0]}.{keys[1]}={{{entry}}}'"
    inside = [name for name, inner in section.items() if isinstance(inner, Mapping) and keys[place] in inner]
    if place and inside:
        return f"did you mean '{'.'.join([*keys[:place], inside[0], *keys[place:]])}'?"
    where = ".".join(keys[:place]) or "params.yaml"
    return f"{where} has {', '.join(section)}"


def _in_one_line(value: Any) -> Any:
    """Mappings as `{a: b}`, like the entries of params.yaml."""
    from ruamel.yaml.comments import CommentedMap

    if not isinstance(value, dict):
        return value
    entry = CommentedMap({key: _in_one_line(inner) for key, inner in value.items()})
    entry.fa.set_flow_style()
    return entry


def _told(value: Any) -> str:
    return (
        f"{{{', '.join(f'{key}: {inner}' for key, inner in value.items())}}}" if isinstance(value, dict) else str(value)
    )
