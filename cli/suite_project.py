"""The project of a suite and a system: every task of the suite, to be run by the graph that runs any project.

It lies in .lianzi/suites/SUITE/SYSTEM, a DVC and git repository of its own, so that neither the tasks nor the results
of the project around it change. `official/` has the suite's rows as they were published.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cli.init import make_project
from cli.init_from import settings_for, words_of
from components.artifacts import file_hash, read_json, write_json
from components.errors import DataError, ParameterError, ServiceError, first_line
from components.modeling.kinds import GENERATES
from components.params import Params, flatten, load_params, read_yaml
from components.replacing import replace_json, replace_text
from components.starts import named_folder
from components.suites.sources import pipeline_rows, read_task, texts_of
from components.suites.suite import Raw, Suite, SuiteTask
from components.tasks.kinds import KINDS
from flows.inputs import note_inputs
from flows.reproduction.git import git
from flows.settings import change_params, take_settings
from flows.suites.results import RESULTS

FOLDER = Path(".lianzi/suites")
PARAMS = "params.yaml"
ASKED, OFFICIAL = "suite.json", "official"
AROUND = "params"
"""In suite.json the hash of params.yaml of the project around, as it was when it was last taken over."""
PRETRAINED, TOKENIZER = Path("artifacts/pretrained"), Path("artifacts/tokenizer")
CORPUS = "training_texts"
MOST_TEXTS = 20_000
"""Training texts that are the project's corpus. No weight depends on it, but of a run with `--set pretrain.steps=…`."""
AS_PUBLISHED: Mapping[str, Mapping[str, Any]] = {
    "curate": {"word_lists": [], "min_characters": 1, "validation_fraction": 0.1},
    "validate": {
        "min_documents": 1,
        "length_quantiles": [],
        "min_language_share": 0.0,
        "min_class_share": 0.0,
        "max_null_share": 1.0,
        "max_duplicate_share": 1.0,
        "max_personal_data_share": 1.0,
        "max_label_conflict_share": 1.0,
        "accepted": None,
    },
    "pretrain": {"steps": 0},
    "finetune": {"without_pretraining": False},
}
"""Published rows are taken as they are, and the system is the checkpoint that was asked for."""
_AUTHOR = ("-c", "user.name=lianzi", "-c", "user.email=lianzi@localhost")


@dataclass(frozen=True)
class System:
    """What is measured. model: a folder or a hub name, None for the project's own encoder; settings: KEY=VALUE."""

    name: str
    model: str | None
    data: Path | None
    settings: tuple[str, ...]

    def asked(self) -> dict[str, Any]:
        data = str(self.data.absolute()) if self.data else None
        return {"model": self.model, "data": data, "settings": list(self.settings)}


def suite_folder(root: Path, suite: Suite) -> Path:
    """Where the projects of a suite's systems lie."""
    return root / FOLDER / suite.name.replace("/", "-")


def suite_project(root: Path, suite: Suite, system: System, say: Callable[[str], None]) -> Path:
    """The project of a system, laid out where there is none yet; one that is there follows params.yaml and libraries.

    Raises LianziError: the rows are out of reach, the model is not fit, or the name is another system's. Nothing is
    half laid out then.
    """
    folder = suite_folder(root, suite) / system.name
    if folder.is_dir():
        begun = read_json(folder / ASKED)
        if {key: begun.get(key) for key in system.asked()} != system.asked():
            raise ParameterError(
                f"{folder}: {suite.name} was begun there with another model, data or settings",
                "--name gives this system another name, or remove that folder",
            )
        for line in _follow(root, folder, suite, system, begun):
            say(line)
        return folder
    fragment = _fragment(root, suite, system)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _lay_out(root, partial, suite, system, fragment, say)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.rename(folder)
    return folder


def trained(suite: Suite) -> list[SuiteTask]:
    """The tasks that have training rows, and so stand in params.yaml."""
    return [task for task in suite.tasks if not task.trained_as]


def official_rows(folder: Path, task: SuiteTask) -> dict[str, list[Raw]]:
    """Split -> its rows as they were published, in the splits that are answered."""
    rows = {}
    for path in sorted((folder / OFFICIAL / task.name).glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            rows[path.stem] = [json.loads(line) for line in lines]
    return rows


def _follow(root: Path, folder: Path, suite: Suite, system: System, begun: Mapping[str, Any]) -> list[str]:
    """Take over what changed since: params.yaml of the project around, and versions of libraries; DVC then sees what is
    stale. Returns a line a change."""
    around = file_hash(root / PARAMS)
    changes: list[str] = []
    if begun.get(AROUND) != around:
        before = flatten(read_yaml(folder / PARAMS))
        replace_text(folder / PARAMS, _params(root, system, _fragment(root, suite, system)))
        after = flatten(read_yaml(folder / PARAMS))
        names = [name for name in {**after, **before} if before.get(name) != after.get(name)]
        changes = [f"{PARAMS}: {name}: {before.get(name)} -> {after.get(name)}" for name in names]
    changes += note_inputs(folder)
    if changes:
        # What a model scored before is not to stand in the table beside what is made anew.
        shutil.rmtree(folder / RESULTS, ignore_errors=True)
    replace_json(folder / ASKED, {**system.asked(), AROUND: around})
    return changes


def _params(root: Path, system: System, fragment: Mapping[str, Any]) -> str:
    """params.yaml of a system's project: that of the project around, with what the suite and the system change."""
    with TemporaryDirectory() as scratch:
        path = Path(scratch) / PARAMS
        shutil.copyfile(root / PARAMS, path)
        take_settings(path, fragment, write=True)
        change_params(path, system.settings)
        return path.read_text(encoding="utf-8")


def _lay_out(
    root: Path, folder: Path, suite: Suite, system: System, fragment: Mapping[str, Any], say: Callable[[str], None]
) -> None:
    texts: list[str] = []
    git(folder, "init", "-q")
    make_project(folder, {task.name: task.kind["language"] for task in trained(suite)})
    around = file_hash(root / PARAMS)
    replace_text(folder / PARAMS, _params(root, system, fragment))
    for task in suite.tasks:
        found = read_task(suite, task, system.data)
        answered = {part.split for part in task.parts} | {one.split for one in task.submissions}
        for split in sorted(answered & found.keys()):
            if found[split]:
                _write(folder / OFFICIAL / task.name / f"{split}.jsonl", found[split])
        if task.trained_as:
            continue
        splits = pipeline_rows(task, found)
        for split, rows in splits.items():
            _write(folder / "data" / "tasks" / task.name / f"{split}.jsonl", rows)
        texts += islice(texts_of(splits["train"]), MOST_TEXTS // len(suite.tasks))
        say(f"{task.name}: {', '.join(f'{split} {len(rows):,}' for split, rows in splits.items())} rows")
    _write(folder / "data" / "corpus" / f"{CORPUS}.jsonl", [{"text": text} for text in texts])
    note_inputs(folder)
    (folder / ".gitignore").open("a", encoding="utf-8").write(f"/{OFFICIAL}/\n/{RESULTS}/\n")
    write_json(folder / ASKED, {**system.asked(), AROUND: around})
    _dvc_add(folder)
    git(folder, "add", "--all")
    git(folder, *_AUTHOR, "commit", "-q", "-m", f"{suite.name}: {system.name}")


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    if not rows:
        raise DataError(f"{path.parent.name}: no {path.stem} rows", "is the copy of the suite whole?")
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text(text, encoding="utf-8")


def _dvc_add(folder: Path) -> None:
    from flows.reproduction.worktree import dvc

    try:
        dvc(folder, "add", "--quiet", "data")
    except ServiceError as error:
        raise ServiceError(f"DVC cannot take over the suite's rows: {first_line(error)}") from None


def _fragment(root: Path, suite: Suite, system: System) -> dict[str, dict[str, Any]]:
    """What the suite's project has in params.yaml that the project around it has not."""
    fragment: dict[str, dict[str, Any]] = {section: dict(values) for section, values in AS_PUBLISHED.items()}
    for section, values in suite.settings.items():
        fragment[section] = fragment.get(section, {}) | dict(values)
    params = load_params(root / PARAMS)
    special = tuple(fragment.get("train_tokenizer", {}).get("special_tokens", params.train_tokenizer.special_tokens))
    start, longest = _own(root, params) if system.model is None else _checkpoint(system.model, params, special)
    for name, value in start.items():
        section, _, key = name.partition(".")
        fragment[section] = fragment.get(section, {}) | {key: value}
    _check_head(suite, fragment["model"]["architecture"])
    tasks = {task.name: {**task.kind, "max_length": min(task.kind["max_length"], longest)} for task in trained(suite)}
    # As `code` texts are taken as they are, in whatever language: the rules for prose would reject short ones.
    corpus = {CORPUS: {"weight": 1.0, "language": "code", "licence": "as published"}}
    # Tests of behaviour are of the tasks of the project around it.
    fragment["analyze"] = {"robustness": params.analyze.robustness.model_dump() | {"tests": []}}
    return {"tasks": tasks, "corpus": corpus, **fragment}


def _own(root: Path, params: Params) -> tuple[dict[str, Any], int]:
    """The project's own pretrained model with its own recipe, and the tokens that it reads at once."""
    if not (root / PRETRAINED / "manifest.json").is_file():
        raise ParameterError(
            f"{PRETRAINED}: the project has no pretrained model yet",
            "`lianzi run` makes one; or name a checkpoint: --model FOLDER",
        )
    start = {
        "train_tokenizer.from": str((root / TOKENIZER).absolute()),
        "pretrain.init_from": str((root / PRETRAINED).absolute()),
        "model.architecture": params.model.architecture,
    }
    return start, params.model.max_length


def _checkpoint(model: str, params: Params, special: Sequence[str]) -> tuple[dict[str, Any], int]:
    """As `lianzi init-from` sets params.yaml."""
    from components.modeling.inspection import inspect

    found = inspect(model)
    settings = settings_for(model, found, words_of(model, found, special), params)
    start = {name: one.value for name, one in settings.items() if not name.startswith("tasks.")}
    return start, found.positions


def checkpoint_name(model: str) -> str:
    """A checkpoint as params.yaml names it: a folder by its absolute path."""
    return os.path.abspath(model) if named_folder("--model", model) else model  # noqa: PTH100  links stay as named


def _check_head(suite: Suite, architecture: str) -> None:
    """Before any work: what writes texts needs an encoder-decoder, and nothing else can use one."""
    from components.modeling.kinds import ENCODER_DECODERS

    writes = any(KINDS[task.kind["kind"]].head in GENERATES for task in suite.tasks)
    if writes != (architecture in ENCODER_DECODERS):
        needs = "an encoder-decoder (T5, BART)" if writes else "an encoder or a decoder"
        raise ParameterError(f"{suite.name} needs {needs}, not {architecture}", "name one: --model FOLDER")
