"""The project folder, and truthful changes to its params.yaml."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from components.errors import DataError, ParameterError
from components.params import Params, SourceConfig, check_params, flatten, load_params, read_yaml
from flows.graph import Stage, read_graph

OPEN = ("tasks", "corpus")
"""Sections of params.yaml whose keys are names of the user's own."""


def project_root() -> Path:
    """The folder of dvc.yaml and params.yaml, here or above; it becomes the working directory."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if _is_project(folder):
            os.chdir(folder)
            return folder
    raise ParameterError(f"{here}: no Lianzi project here or above", "cd to the folder that holds dvc.yaml, or use -C")


def ready_project(root: object) -> tuple[Path, list[Stage]]:
    """The project in the folder `root`, found fit to run, and its graph; the folder becomes the working directory.

    Raises LianziError: no project there, params.yaml invalid, the graph unreadable, or data that was never pulled.
    """
    if not isinstance(root, str | Path) or not _is_project(Path(root)):
        raise ParameterError(
            f"root: {root}: no Lianzi project there", "name the folder that holds dvc.yaml and params.yaml"
        )
    folder = Path(root).absolute()
    os.chdir(folder)
    load_params(folder / "params.yaml")
    stages = read_graph(folder)
    for stage in stages:
        path = folder / stage.name.removesuffix(".dvc")
        if stage.name.endswith(".dvc") and not path.exists():
            raise DataError(f"{path.name}/: missing", "`dvc pull data` fetches the sample data; or put your own there")
    return folder, stages


def _is_project(folder: Path) -> bool:
    # Not Path.is_file, which raises where the folder may not be entered.
    return all(os.path.isfile(folder / name) for name in ("dvc.yaml", "params.yaml"))  # noqa: PTH113


def change_params(path: Path, settings: tuple[str, ...]) -> list[str]:
    """Apply KEY=VALUE settings to params.yaml, keeping its comments; all of them or none.

    Values are YAML. `tasks` and `corpus` take new entries: tasks.mood={kind: …}. Returns a line a change. Raises
    ParameterError before anything is written.
    """
    parsed = [_parse(setting) for setting in settings]
    return _rewrite(path, lambda content: [_apply(content, keys, value) for keys, value in parsed], "--set")


def add_source(path: Path, name: str, source: SourceConfig, said: Collection[str]) -> list[str]:
    """Name a source of the corpus in params.yaml. Of one that is there, only the fields in `said` change.

    Returns a line a change.
    """

    def add(content: Any) -> list[str]:
        there = content["corpus"].get(name)
        entry = {key: there[key] if there and key not in said else value for key, value in source.model_dump().items()}
        return [] if there == entry else [_apply(content, ["corpus", name], entry)]

    return _rewrite(path, add, path.name)


def _rewrite(path: Path, change: Callable[[Any], list[str]], origin: str) -> list[str]:
    """Change the content of params.yaml in place, checked before it is written."""
    from ruamel.yaml import YAML
    from ruamel.yaml.representer import RoundTripRepresenter

    class KeepNull(RoundTripRepresenter):
        """Writes None as `null`, as it stands in params.yaml."""

    KeepNull.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))
    load_params(path)
    yaml = YAML()
    yaml.Representer = KeepNull
    yaml.preserve_quotes = True
    yaml.width = 200
    content = yaml.load(path.read_text(encoding="utf-8"))
    changes = change(content)
    partial = path.with_suffix(".yaml.partial")
    try:
        with partial.open("w", encoding="utf-8") as stream:
            yaml.dump(content, stream)
        check_params(read_yaml(partial), origin)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return changes


def what_if(path: Path, settings: tuple[str, ...]) -> Params:
    """The params with KEY=VALUE settings applied, the file left as it is. Raises ParameterError."""
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
    import difflib

    section, dotted = content, ".".join(keys)
    for key in keys[:-1]:
        section = section.get(key) if isinstance(section, dict) else None
    new = len(keys) == 2 and keys[0] in OPEN and isinstance(value, dict)
    if not isinstance(section, dict) or (keys[-1] not in section and not new):
        close = difflib.get_close_matches(dotted, flatten(content), n=1, cutoff=0.4)
        raise ParameterError(f"--set {dotted}: unknown parameter", f"did you mean '{close[0]}'?" if close else "")
    before, section[keys[-1]] = section.get(keys[-1]), _in_one_line(value)
    told = _told(value)
    return (
        f"params.yaml: {dotted}: {told}, new"
        if before is None and new
        else f"params.yaml: {dotted}: {_told(before)} -> {told}"
    )


def _in_one_line(value: Any) -> Any:
    """Mappings as `{a: b}`, as the entries of params.yaml stand there."""
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
