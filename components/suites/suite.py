"""Benchmark suites as tables: each task of a suite, the kind that learns it, its splits, its official metrics, and the
files that its site takes answers in."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from components.errors import DataError, ParameterError

Raw = dict[str, Any]
"""A row with the columns that the data set has on the Hugging Face hub, whatever file it comes from."""
Score = Callable[[Sequence[Raw], Sequence[Any], Sequence[Any]], dict[str, float]]
"""Official metrics, by name, of the rows, their targets and a system's answers."""

SUITES = {
    "glue": "components.suites.glue:GLUE",
    "superglue": "components.suites.superglue:SUPERGLUE",
    "squad": "components.suites.squad:SQUAD",
    "squad_v2": "components.suites.squad:SQUAD_V2",
    "conll2003": "components.suites.conll:CONLL2003",
    "wmt14": "components.suites.wmt:WMT14",
    "wmt16": "components.suites.wmt:WMT16",
    "clue": "components.suites.clue:CLUE",
    "cnn_dailymail": "components.suites.summaries:CNN_DAILYMAIL",
    "xsum": "components.suites.summaries:XSUM",
}
"""Name -> where its table stands."""


@dataclass(frozen=True)
class File:
    """A file of a published copy: its name in the task's folder, of files that are read together all names joined by
    `+`, and what reads it."""

    name: str
    read: Callable[..., list[Raw]]


@dataclass(frozen=True)
class Part:
    """Rows with public labels that a system is scored on, and the title of their column."""

    title: str
    split: str


@dataclass(frozen=True)
class Submission:
    """A file that the site takes answers in: its name, the split that it answers, and its content."""

    file: str
    split: str
    content: Callable[[Sequence[Raw], Sequence[Any]], str]


@dataclass(frozen=True)
class SuiteTask:
    """A task of a suite.

    hub, config: of the data set on the Hugging Face hub; folders: names that a local copy's folder may have; files:
    split -> the files that it may stand in there. kind: its entry under `tasks` in params.yaml. inputs, target: the
    columns that a row of that kind is asked with, and what it is answered with, None where the label is hidden.
    parts[0] is what the pipeline evaluates on. validation: the official split that decides in training; where it is
    empty, a tenth of the training rows does. average: the metrics that count in the suite's average. trained_as: the
    task whose model answers, of diagnostic rows. labels: names in the hub's order. finish: what becomes of an answer
    that is not yet one of the set's.
    """

    name: str
    hub: str
    config: str | None
    folders: tuple[str, ...]
    files: Mapping[str, tuple[File, ...]]
    kind: Mapping[str, Any]
    inputs: Callable[[Raw], dict[str, Any]]
    target: Callable[[Raw], Any]
    score: Score
    parts: tuple[Part, ...]
    validation: str = ""
    submissions: tuple[Submission, ...] = ()
    average: tuple[str, ...] = ()
    trained_as: str = ""
    labels: tuple[str, ...] = ()
    finish: Callable[[Raw, Any], Any] = field(default=lambda _, answer: answer)

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that are read, each once."""
        needed = ("" if self.trained_as else "train", self.validation, *(part.split for part in self.parts))
        return tuple(dict.fromkeys(split for split in (*needed, *(one.split for one in self.submissions)) if split))


@dataclass(frozen=True)
class Suite:
    """Tasks that are reported together. source: where people get the files; archive: the zip that the site takes;
    settings: what the suite changes in params.yaml; averaged: whether its papers print an average."""

    name: str
    title: str
    source: str
    tasks: tuple[SuiteTask, ...]
    archive: str = ""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    averaged: bool = False


def suite_of(name: str) -> Suite:
    """A suite, or with `SUITE/TASK` one task of it. Raises ParameterError naming the nearest."""
    first, _, task = name.partition("/")
    if first not in SUITES:
        raise ParameterError(f"no suite {first!r:.60}", _nearest(first, SUITES))
    module, _, constant = SUITES[first].partition(":")
    suite: Suite = getattr(import_module(module), constant)
    if not task:
        return suite
    known = [one.name for one in suite.tasks]
    if task not in known:
        raise ParameterError(f"no task {task!r:.60} in {first}", _nearest(task, known))
    chosen = next(one for one in suite.tasks if one.name == task)
    needed = (chosen.trained_as, task) if chosen.trained_as else (task,)
    kept = tuple(one for one in suite.tasks if one.name in needed)
    return Suite(name, suite.title, suite.source, kept, suite.archive, suite.settings)


def _nearest(name: str, known: Any) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"nearest: {', '.join(near)}" if near else f"known: {', '.join(known)}"


def label_of(labels: Sequence[str], value: Any) -> str | None:
    """A label by its name. Data sets write it as a number, as its name, or as true and false; -1, a dash and nothing
    stand for a hidden one. Raises DataError for another."""
    if value in (None, "", -1, "-1", "-"):
        return None
    if isinstance(value, str) and value in labels:
        return value
    named = {one.lower(): one for one in labels}
    if isinstance(value, bool) or str(value).lower() in named:
        found = named.get(str(value).lower())
        if found is not None:
            return found
    number = str(value)
    if number.isdigit() and int(number) < len(labels):
        return labels[int(number)]
    raise DataError(f"label {value!r:.60} is not among {', '.join(labels[:20])}")


def texts(text: str, pair: str = "") -> Callable[[Raw], dict[str, Any]]:
    """The columns that are read as `text` and `text_pair`."""
    if not pair:
        return lambda raw: {"text": raw[text]}
    return lambda raw: {"text": raw[text], "text_pair": raw[pair]}


def label(labels: Sequence[str]) -> Callable[[Raw], str | None]:
    """What gives a row's label by its name."""
    return lambda raw: label_of(labels, raw.get("label"))
