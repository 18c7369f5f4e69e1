"""The rows of an artifact as a table for Great Expectations: each row's own columns, and what was found out about it.

Texts are cut to an excerpt once they are measured, so that a table stays small and its report readable.

- `characters`: length of the text
- `fingerprint`: equal for equal texts
- `script_fits`: whether the text's script is that of its language
- `held_out_in`: the held-out split the text also stands in, such as `topic/test`; null where in none
- `label_share`: the share of the table's rows that have this row's label (labelled rows only)
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from components.artifacts import read_manifest
from components.corpus.language import script_language
from components.params import TaskConfig

EXCERPT = 80
SCRIPT_SAMPLE = 500  # characters that settle what script a text is in
CORPUS_COLUMNS = ("id", "text", "source", "language")
TASK_COLUMNS = ("id", "text", "label")
MEASURED = ("characters", "fingerprint", "script_fits", "held_out_in")
HELD_OUT = ("test", "validation")

HeldOut = dict[str, str]
"""Fingerprint of a held-out text -> where it stands, such as `topic/test`."""


@dataclass(frozen=True)
class Table:
    """What one suite looks at. `task` is the task's name and `labels` are its labels; the corpus has neither."""

    name: str
    frame: pd.DataFrame
    task: str = ""
    split: str = ""
    labels: tuple[str, ...] = ()


def corpus_table(corpus: Path, held_out: HeldOut) -> Table:
    """Both splits of the corpus in one table, since no text may stand in it twice."""
    read_manifest(corpus, "corpus")
    rows = [row for split in ("train", "validation") for row in _rows(corpus / f"{split}.jsonl")]
    measured = [row | _measure(row, row.get("language"), held_out) for row in rows]
    return Table("corpus", _frame(measured, CORPUS_COLUMNS))


def task_tables(labelled: Path, tasks: Mapping[str, TaskConfig]) -> Iterator[Table]:
    """A table for each split of each task."""
    for name in sorted(tasks):
        labels = tuple(read_manifest(labelled / name, "task")["labels"])
        above: HeldOut = {}
        for split in (*HELD_OUT, "train"):
            path = labelled / name / f"{split}.jsonl"
            rows = [row | _measure(row, tasks[name].language, above) for row in _rows(path)]
            yield Table(f"{name}_{split}", _frame(_with_shares(rows), TASK_COLUMNS), name, split, labels)
            above = {row["fingerprint"]: f"{name}/{split}" for row in rows if row["fingerprint"]} | above


def held_out_texts(labelled: Path, tasks: Mapping[str, TaskConfig]) -> HeldOut:
    """The texts that must not stand in the corpus."""
    return {
        _fingerprint(row["text"]): f"{name}/{split}"
        for name in sorted(tasks)
        for split in reversed(HELD_OUT)
        for row in _rows(labelled / name / f"{split}.jsonl")
        if row.get("text")
    }


def _measure(row: Mapping[str, Any], language: str | None, held_out: HeldOut) -> dict[str, Any]:
    text = row.get("text")
    if text is None:
        return dict.fromkeys(MEASURED)
    fingerprint = _fingerprint(text)
    return {
        "text": text[:EXCERPT],
        "characters": len(text),
        "fingerprint": fingerprint,
        "script_fits": script_language(text[:SCRIPT_SAMPLE]) == language,
        "held_out_in": held_out.get(fingerprint),
    }


def _with_shares(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts = Counter(row.get("label") for row in rows)
    return [row | {"label_share": counts[row.get("label")] / len(rows)} for row in rows]


def _frame(rows: list[dict[str, Any]], expected: tuple[str, ...]) -> pd.DataFrame:
    """Columns in the expected order, then whatever else the rows have."""
    frame = pd.DataFrame(rows)
    order = [column for column in (*expected, *MEASURED) if column in frame]
    return frame[order + [column for column in frame if column not in order]]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
