"""Test rows that the model may have seen: in the training rows, or in the corpus that it was pretrained on.

A row is there exactly where all of its n-grams are in one document or training row, and nearly where `min_overlap` of
them are: 13 words, as GPT-3 (Brown et al. 2020, appendix C), or 10 characters of Chinese, as in curation; a shorter row
is one n-gram. Case, blanks and signs make no difference. The first metric is given for all rows and for those that are
in neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from components.analysis.errors import CELL, cut, joined
from components.analysis.subject import Analysis, Subject, Table
from components.corpus.shingles import Hashes, n_grams, units
from components.evaluation.metrics import Bootstrap
from components.tasks.task import Task, Text, parts

if TYPE_CHECKING:
    from components.analysis.config import LeakageConfig

N_GRAM = {"en": 13, "zh": 10}
SHOWN = 50
"""Rows of the table."""
TRAINING, CORPUS = "training rows", "corpus"
NOTHING = units("")


@dataclass(frozen=True)
class Leak:
    """A test row, and where most of it stands; `overlap`: 1 where all of it does."""

    row: int
    source: str
    place: str
    overlap: float

    @property
    def exact(self) -> bool:
        return self.overlap == 1.0


class TestRows:
    """The n-grams of the test rows, one table for each of their texts."""

    __test__ = False  # for pytest: nothing to collect

    def __init__(self, rows: Sequence[Sequence[str]], size: int) -> None:
        """rows: the texts of each, at least one; of a multiple choice some rows have more than others."""
        self.size = size
        most = max(map(len, rows))
        hashed = [[units(text) for text in row] + [NOTHING] * (most - len(row)) for row in rows]
        self.tables = [_Table([n_grams(row[part], size) for row in hashed]) for part in range(most)]
        self.there = np.arange(most) < np.array([[len(row)] for row in rows])
        self.long = np.array([[len(text) >= size for text in row] for row in hashed])

    def in_row(self, row: Sequence[str]) -> dict[int, float]:
        """Test row -> the share of it that is in a training row, text by text: the least of its texts'."""
        hashed = [units(text) for text in row]
        return self._least([*hashed, *[NOTHING] * (len(self.tables) - len(row))], self.there)

    def in_document(self, text: str) -> dict[int, float]:
        """Test row -> the share of it that is in a document: of texts shorter than an n-gram nothing is known, unless
        the document is no longer."""
        hashes = units(text)
        return self._least([hashes] * len(self.tables), self.long if len(hashes) >= self.size else self.there)

    def _least(self, texts: Sequence[Hashes], known: np.ndarray) -> dict[int, float]:
        """Test row -> the least share of its texts, each in the one of `texts` at its place. known: bool [rows, texts],
        those that count."""
        found = [table.shares(n_grams(text, self.size)) for table, text in zip(self.tables, texts, strict=False)]
        if all(one is None for one in found):
            return {}  # so it is with nearly every document, at no cost for each of the test rows
        shares = np.stack([np.zeros(len(known)) if one is None else one for one in found], axis=1)
        least = np.where(known, shares, 1.0).min(axis=1) * known.any(axis=1)
        return {int(row): float(least[row]) for row in np.flatnonzero(least)}


class _Table:
    """Sorted n-grams, each with the number of its row."""

    def __init__(self, rows: Sequence[Hashes]) -> None:
        distinct = [np.unique(row) for row in rows]
        self.counts = np.array([len(row) for row in distinct])
        keys = np.concatenate(distinct)
        owners = np.repeat(np.arange(len(rows)), self.counts)
        order = np.argsort(keys, kind="stable")
        self.keys, self.owners = keys[order], owners[order]

    def shares(self, grams: Hashes) -> np.ndarray | None:
        """Of each row the share of its n-grams that are among these: float64 [rows]; None where none is."""
        if not len(self.keys) or not len(grams):
            return None
        places = np.minimum(np.searchsorted(self.keys, grams), len(self.keys) - 1)
        known = np.unique(grams[self.keys[places] == grams])
        if not len(known):
            return None
        begins, ends = (np.searchsorted(self.keys, known, side=side) for side in ("left", "right"))
        owners = np.concatenate([self.owners[begin:end] for begin, end in zip(begins, ends, strict=True)])
        found: np.ndarray = np.bincount(owners, minlength=len(self.counts)) / np.maximum(self.counts, 1)
        return found


def analyze(config: LeakageConfig, subject: Subject) -> Analysis | None:
    """Of every kind: its test rows are texts."""
    rows = TestRows([plain(subject.task, text) for text in subject.test.texts], N_GRAM[subject.language])
    training, _ = leaks(rows, TRAINING, _training(subject), config.min_overlap)
    corpus, documents = leaks(rows, CORPUS, _documents(subject, config.documents), config.min_overlap)
    leaked = sorted({one.row for one in (*training, *corpus)})
    clean = np.setdiff1d(np.arange(len(subject.test.texts)), leaked)
    scores = {"all": _score(subject, np.arange(len(subject.test.texts)))}
    if leaked and len(clean):
        scores["without_leaked"] = _score(subject, clean)
    return Analysis(
        metrics={
            "training_rows": _counted(training),
            "corpus": _counted(corpus) | {"documents": documents},
            "leaked_rows": len(leaked),
            subject.task.metrics[0].name: scores,
        },
        sentences=_sentences(subject, training, corpus, documents, len(leaked), scores),
        tables={"Test rows that were seen": _table(subject, [*training, *corpus])} if leaked else {},
    )


def plain(task: Task, text: Text) -> list[str]:
    """The texts of a row without what marks places in them."""
    return [task.plain(part) for part in parts(text)]


def leaks(
    rows: TestRows, source: str, places: Iterable[tuple[str, Sequence[str]]], least: float
) -> tuple[tuple[Leak, ...], int]:
    """Of each test row the place that has most of it, where that is enough, the exact ones first; and how many places
    there are. `places`: their names and texts; of the corpus a text each."""
    best: dict[int, Leak] = {}
    searched = 0
    for name, texts in places:
        searched += 1
        found = rows.in_document(texts[0]) if source == CORPUS else rows.in_row(texts)
        for row, share in found.items():
            if share >= least and (row not in best or best[row].overlap < share):
                best[row] = Leak(row, source, name, share)
    return tuple(sorted(best.values(), key=lambda one: (-one.overlap, one.row))), searched


def _training(subject: Subject) -> Iterator[tuple[str, Sequence[str]]]:
    names = [str(row["id"]) for row in subject.train_columns]
    for number, text in enumerate(subject.train.texts):
        yield names[number] if names else f"row {number + 1}", plain(subject.task, text)


def _documents(subject: Subject, most: int) -> Iterator[tuple[str, Sequence[str]]]:
    """Documents that the model was pretrained on, at most so many: of a larger corpus whole shards in an order that
    the seed draws, so that every source has its part."""
    from components.corpus.documents import read_shard

    paths = sorted((subject.corpus / "train").glob("*.parquet"))
    count = 0
    for number in np.random.default_rng(subject.seed).permutation(len(paths)).tolist():
        for batch in read_shard(paths[number], ["id", "text"]):
            for document in batch.to_pylist():
                if count == most:
                    return
                count += 1
                yield document["id"], [document["text"]]


def _score(subject: Subject, rows: np.ndarray) -> dict[str, float]:
    bootstrap = Bootstrap(
        subject.task, subject.test.targets[rows], subject.bootstrap_samples, subject.confidence, subject.seed
    )
    return bootstrap.interval(subject.task.metrics[0], subject.answers[rows]).metrics()


def _counted(found: Sequence[Leak]) -> dict[str, int]:
    exact = sum(one.exact for one in found)
    return {"exact": exact, "near": len(found) - exact}


def _sentences(
    subject: Subject,
    training: Sequence[Leak],
    corpus: Sequence[Leak],
    documents: int,
    leaked: int,
    scores: Mapping[str, Mapping[str, float]],
) -> tuple[str, ...]:
    total = len(subject.test.texts)
    searched = f"{_count(len(subject.train.texts), 'training row')} and {_count(documents, 'document')} of the corpus"
    if not leaked:
        return (f"leakage: none of {total:,} test rows was found, searching {searched}",)
    told = [
        f"leakage: {leaked:,} of {total:,} test rows were found, searching {searched}: "
        f"{_told(training)} in training rows, {_told(corpus)} in documents"
    ]
    if "without_leaked" in scores:
        title = subject.task.metrics[0].title
        every, clean = (scores[name] for name in ("all", "without_leaked"))
        told.append(f"{title} without them {_interval(clean)}, with them {_interval(every)}")
    return tuple(told)


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"


def _told(found: Sequence[Leak]) -> str:
    counts = _counted(found)
    return f"{counts['exact']:,} exactly and {counts['near']:,} nearly"


def _interval(score: Mapping[str, float]) -> str:
    return f"{score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})"


def _table(subject: Subject, found: Sequence[Leak]) -> Table:
    rows: list[tuple[Any, ...]] = [
        (
            subject.ids[one.row],
            one.source,
            one.place,
            "exactly" if one.exact else "nearly",
            round(one.overlap, 6),
            cut(joined(subject.test.texts[one.row]), CELL),
        )
        for one in sorted(found, key=lambda one: -one.overlap)[:SHOWN]
    ]
    return Table(("test row", "seen in", "place", "how", "share of it", "text"), tuple(rows))
