"""Write the documents of a filtered block as shards of the corpus, once its duplicates in other blocks are known."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.corpus.documents import SCHEMA, SPLITS, write_table
from components.corpus.filter_block import read_filtered
from components.corpus.quarantine import EXCERPT, excerpt

LENGTHS = np.logspace(0, 7, 29)
"""Bounds of the length classes: four for each power of ten."""


@dataclass(frozen=True)
class Work:
    """A block to write: its file, and the numbers of the rows to leave out because of other rows.

    Each number has a reason and, for a duplicate, the id of the row that stays.
    """

    path: Path
    target: Path
    left_out: dict[int, tuple[str, str | None]]


@dataclass
class BlockCounts:
    """Counts of a block's rows by outcome. `lengths`: by language, kept documents in each class of LENGTHS."""

    source: str
    kept: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    lengths: dict[str, np.ndarray] = field(default_factory=dict)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)


def write_block(work: Work) -> BlockCounts:
    """Write the block's documents, one shard for each split, and count its rows by outcome."""
    table = read_filtered(work.path, [*SCHEMA.names, "split", "changes", "reason"])
    reasons = table.column("reason").to_pylist()
    others: dict[int, str] = {}
    for row, (reason, other) in work.left_out.items():
        reasons[row] = reason
        if other is not None:
            others[row] = other
    kept = table.filter(pa.array([reason is None for reason in reasons]))
    counts = BlockCounts(str(table.column("source")[0]))
    name = "-".join(work.path.stem.split("-")[:-1])
    for split in SPLITS:
        documents = kept.filter(pc.equal(kept.column("split"), split)).select(SCHEMA.names)
        counts.kept[split] = len(documents)
        if len(documents):
            write_table(work.target / split / f"{name}.parquet", documents)
    _count(counts, kept)
    _list_rows(counts, table, reasons, others)
    return counts


def _count(counts: BlockCounts, kept: pa.Table) -> None:
    sizes = pc.utf8_length(kept.column("text")).to_numpy()
    languages = np.asarray(kept.column("language").to_pylist(), dtype=object)
    for language in sorted(set(languages)):
        here = sizes[languages == language]
        counts.languages[language] = len(here)
        counts.characters[language] = int(here.sum())
        counts.lengths[language] = np.histogram(here, LENGTHS)[0]
    counts.changes.update(change for changes in kept.column("changes").to_pylist() for change in changes)


def _list_rows(counts: BlockCounts, table: pa.Table, reasons: list[str | None], others: dict[int, str]) -> None:
    """The rejected and the changed rows, each with its position."""
    changes = table.column("changes").to_pylist()
    numbers = [row for row, reason in enumerate(reasons) if reason or changes[row]]
    few = table.select(["file", "line", "id", "text"]).take(pa.array(numbers, pa.int64())).to_pylist()
    for number, row in zip(numbers, few, strict=True):
        place = {"file": row["file"], "line": row["line"], "id": row["id"]}
        if reason := reasons[number]:
            same = {"same_as": others[number]} if number in others else {}
            counts.rejected.append(place | {"reason": reason, **same, "text": excerpt(row["text"], reason)})
        else:
            counts.changed.append(place | {"changes": changes[number], "text": row["text"][:EXCERPT]})
