"""Rows of a suite's task: from a folder with its published files, or from the Hugging Face hub."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from components.errors import DataError, first_line
from components.suites.formats import named_rows, parquet
from components.suites.suite import File, Raw, Suite, SuiteTask
from components.tasks.kinds import task_kind
from components.tasks.task import Column
from components.tasks.token_classification import OUTSIDE

HELD_OUT_SHARE, MOST_HELD_OUT = 10, 2000
"""Where the labels of the test rows are hidden, one in so many training rows decides in training, up to so many."""
PUBLISHED = "is it the file as it was published?"
PLACEHOLDERS: dict[Column, Any] = {Column.NUMBER: 0.0, Column.CHOICE: 0, Column.TARGET: "-"}
"""In place of an answer, which a row has to have to be read."""


def read_task(suite: Suite, task: SuiteTask, data: Path | None) -> dict[str, list[Raw]]:
    """Split -> its rows. Splits without public labels may be missing: then nothing is submitted.

    Raises DataError, saying what to download and where to put it, where a labelled split is missing.
    """
    found = _from_hub(suite, task) if data is None else _from_folder(task, data)
    needed = [split for split in task.splits if split not in {one.split for one in task.submissions}]
    needed += [part.split for part in task.parts if part.split not in needed]
    missing = [split for split in needed if not found.get(split)]
    if missing and not task.trained_as:
        raise DataError(f"{data or task.hub}: no {missing[0]} rows of {task.name}", download(suite, task, data))
    return found


def download(suite: Suite, task: SuiteTask, data: Path | None) -> str:
    """What to download, and where to put it."""
    names = [files[0].name.replace("+", " and ") for files in task.files.values()]
    where = f"{data or 'FOLDER'}/{task.folders[0]}/"
    how = "" if data else f", then `lianzi suite {suite.name} --data FOLDER`"
    hub = task.hub.partition("@")[0]
    return (
        f"download {suite.source} and put {', '.join(names)} into {where}, "
        f"or the parquet files of huggingface.co/datasets/{hub}{how}"
    )


def _from_folder(task: SuiteTask, data: Path) -> dict[str, list[Raw]]:
    if not data.is_dir():
        raise DataError(f"{data}: no such folder", "--data names one with a suite's published files")
    folders = [folder for name in task.folders if (folder := data / name).is_dir()]
    # A folder with the files of one task may be named itself.
    return {split: _split(task, split, [*folders, data]) for split in task.splits}


def _split(task: SuiteTask, split: str, folders: Sequence[Path]) -> list[Raw]:
    for folder in folders:
        for file in task.files.get(split, ()):
            if paths := _paths(folder, file):
                return _in_form(task, split, str(paths[0]), partial(file.read, *paths))
        if shards := _shards(folder, split, task.config):
            return _in_form(task, split, str(shards[0]), partial(parquet, shards))
    return []


def _in_form(task: SuiteTask, split: str, where: str, read: Callable[[], list[Raw]]) -> list[Raw]:
    """The rows, where they have what the task reads of them: before any training. Raises DataError."""
    hidden = split in {one.split for one in task.submissions}
    try:
        rows = read()
        for raw in rows:
            task.inputs(raw)
            if not hidden:
                task.target(raw)
    except KeyError as error:
        raise DataError(f"{where}: not in the form of {task.name}: no {error.args[0]!r:.60}", PUBLISHED) from None
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise DataError(f"{where}: not in the form of {task.name}: {str(error)[:100]}", PUBLISHED) from None
    return rows


def _paths(folder: Path, file: File) -> list[Path]:
    """The files that a name stands for, where all of them are there."""
    paths = [folder / name for name in file.name.split("+")]
    return paths if all(path.is_file() for path in paths) else []


def _shards(folder: Path, split: str, config: str | None) -> list[Path]:
    """`CONFIG/SPLIT-00000-of-00001.parquet` and `SPLIT/0000.parquet`, the two ways in which the hub stores a split."""
    places = [folder, folder / "data", *([folder / config] if config else []), *([folder / "default"])]
    for place in places:
        if shards := sorted([*place.glob(f"{split}-*.parquet"), *place.glob(f"{split}/*.parquet")]):
            return shards
    return []


def _from_hub(suite: Suite, task: SuiteTask) -> dict[str, list[Raw]]:
    from components.importing.hub import load_splits  # late: `datasets` comes with it

    name, _, branch = task.hub.partition("@")
    try:
        loaded, _ = load_splits(name, task.config, branch or None)
        return {
            split: _in_form(task, split, task.hub, partial(named_rows, loaded[split]))
            for split in task.splits
            if split in loaded
        }
    except DataError as error:
        raise DataError(f"{suite.title}: {first_line(error)}", download(suite, task, None)) from None


def pipeline_rows(task: SuiteTask, found: Mapping[str, Sequence[Raw]]) -> dict[str, list[dict[str, Any]]]:
    """The rows of data/tasks/NAME by split, as files of the task's kind have them.

    `test` is the first part that is scored. Where the suite hides its test labels that is its development set, and
    what decides in training is taken from the training rows: a score on rows that chose the model would flatter it.
    """
    test = _rows(task, task.parts[0].split, found[task.parts[0].split])
    train = _rows(task, "train", found["train"])
    if task.validation:
        return {"train": train, "validation": _rows(task, task.validation, found[task.validation]), "test": test}
    held_out = _held_out(train)
    return {
        "train": [row for number, row in enumerate(train) if number not in held_out],
        "validation": [train[number] for number in sorted(held_out)],
        "test": test,
    }


def _rows(task: SuiteTask, split: str, rows: Sequence[Raw]) -> list[dict[str, Any]]:
    column = task_kind(task.kind["kind"]).target
    answered = ((number, raw, task.target(raw)) for number, raw in enumerate(rows))
    return [
        {"id": f"{split}-{number}", **task.inputs(raw), column: target}
        for number, raw, target in answered
        if target is not None
    ]


def _held_out(rows: Sequence[Mapping[str, Any]]) -> set[int]:
    """Places of the rows that decide in training. A text's own hash draws it: rows with one passage go together."""
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        text = row.get("context") or row.get("text") or " ".join(row["tokens"])
        groups.setdefault(hashlib.sha256(str(text).encode()).hexdigest(), []).append(number)
    wanted = min(max(len(rows) // HELD_OUT_SHARE, 1), MOST_HELD_OUT)
    drawn: set[int] = set()
    for digest in sorted(groups):
        if len(drawn) >= wanted:
            break
        drawn.update(groups[digest])
    return drawn


def question_row(task: SuiteTask, split: str, number: int, raw: Raw) -> dict[str, Any]:
    """A row to be answered, with a placeholder for its answer: to ask, a published one need not even be right."""
    kind = task_kind(task.kind["kind"])
    column, inputs = kind.columns[kind.target], task.inputs(raw)
    target: Any
    if column == Column.ANSWERS:
        target = {"text": [], "answer_start": []}
    elif column == Column.TAGS:
        target = [OUTSIDE] * len(inputs["tokens"])
    else:
        target = PLACEHOLDERS[column] if column in PLACEHOLDERS else task.labels[0]
    return {"id": f"{split}-{number}", **inputs, kind.target: target}


def texts_of(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The texts of rows, each once: what a tokenizer may be trained on, and a model before fine-tuning."""
    seen: set[str] = set()
    for row in rows:
        texts = [row.get(name) for name in ("text", "text_pair", "question", "context", "target")]
        for text in [*texts, " ".join(row.get("tokens", ()))]:
            if isinstance(text, str) and text and text not in seen:
                seen.add(text)
                yield text
