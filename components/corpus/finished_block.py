"""A curated block becomes shards of the corpus, once it is known what other blocks say; the rest is accounted for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components.corpus.documents import SCHEMA, SPLITS, write_table
from components.corpus.quarantine import EXCERPT, excerpt

LENGTHS = np.logspace(0, 7, 29)
"""Bounds of the classes in which lengths are counted: four to a power of ten."""


@dataclass(frozen=True)
class Work:
    """What finishing a block takes: its file, and the row numbers to leave out for what other rows say, each with the
    reason and the id of the row it repeats, if it does."""

    path: Path
    target: Path
    left_out: dict[int, tuple[str, str | None]]


@dataclass
class Account:
    """What became of a block's rows. `lengths`: by language, documents kept in each class of LENGTHS."""

    source: str
    kept: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    lengths: dict[str, np.ndarray] = field(default_factory=dict)
    rejected: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)


def finish_block(work: Work) -> Account:
    """Write the block's documents, a shard a split, and tell what became of every row."""
    table = pq.read_table(work.path)
    reasons = table.column("reason").to_pylist()
    others: dict[int, str] = {}
    for row, (reason, other) in work.left_out.items():
        reasons[row] = reason
        if other is not None:
            others[row] = other
    kept = table.filter(pa.array([reason is None for reason in reasons]))
    account = Account(str(table.column("source")[0]))
    name = "-".join(work.path.stem.split("-")[:-1])
    for split in SPLITS:
        documents = kept.filter(pc.equal(kept.column("split"), split)).select(SCHEMA.names)
        account.kept[split] = len(documents)
        if len(documents):
            write_table(work.target / split / f"{name}.parquet", documents)
    _count(account, kept)
    _tell(account, table, reasons, others)
    return account


def _count(account: Account, kept: pa.Table) -> None:
    sizes = pc.utf8_length(kept.column("text")).to_numpy()
    languages = np.asarray(kept.column("language").to_pylist(), dtype=object)
    for language in sorted(set(languages)):
        here = sizes[languages == language]
        account.languages[language] = len(here)
        account.characters[language] = int(here.sum())
        account.lengths[language] = np.histogram(here, LENGTHS)[0]
    account.changes.update(change for changes in kept.column("changes").to_pylist() for change in changes)


def _tell(account: Account, table: pa.Table, reasons: list[str | None], others: dict[int, str]) -> None:
    """The rejected rows and the changed ones, each with its place."""
    changes = table.column("changes").to_pylist()
    numbers = [row for row, reason in enumerate(reasons) if reason or changes[row]]
    few = table.select(["file", "line", "id", "text"]).take(pa.array(numbers, pa.int64())).to_pylist()
    for number, row in zip(numbers, few, strict=True):
        place = {"file": row["file"], "line": row["line"], "id": row["id"]}
        if reason := reasons[number]:
            same = {"same_as": others[number]} if number in others else {}
            account.rejected.append(place | {"reason": reason, **same, "text": excerpt(row["text"], reason)})
        else:
            account.changed.append(place | {"changes": changes[number], "text": row["text"][:EXCERPT]})
