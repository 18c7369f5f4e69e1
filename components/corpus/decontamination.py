"""Documents that leak validation or test rows of a task, whole, in part, or with a few words changed.

By n-grams, as GPT-3 (Brown et al. 2020, appendix C) and datatrove's NGramsDecontFilter do, but never by a single
n-gram: some kinds of text repeat whole sentences ("is the capital and most populous city of the U.S. state of"). A
document is rejected where it has at least `min_held_out_overlap` of the n-grams of one held-out text, or where that
share of its own n-grams, and at least n of them, are in one held-out text.

A short run of units within a longer document may be a leak or a common phrase, and only the other documents can tell
(GPT-3 ignores texts under 8 words for "spurious collisions"). Such a run is a passage: `components.corpus.leaks` counts
the documents that contain it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from components.corpus.config import CurateConfig
from components.corpus.encoding import compared_form
from components.corpus.language import script_language
from components.corpus.shingles import Hashes, n_grams, units

SHORTEST = 5
"""The fewest units of a held-out text that is searched within documents; a shorter text must be the whole document."""
SPLITS = ("test", "validation")


@dataclass(frozen=True)
class Match:
    """The overlap of a document with held-out texts.

    `reason`: `in_task_test` or `in_task_validation` where the overlap alone is enough. `passages`: numbers of held-out
    texts of which the document has a short run, which is enough where few other documents have it.
    """

    reason: str | None = None
    passages: tuple[int, ...] = ()


NOTHING = Match()


@dataclass(frozen=True)
class _Table:
    """The n-grams of held-out texts, sorted, each with the number of its text."""

    keys: Hashes
    owners: npt.NDArray[np.int32]

    def found(self, grams: Hashes) -> npt.NDArray[np.int32]:
        """The texts that contain these n-grams; a text occurs once for each of its n-grams."""
        last = len(self.keys) - 1
        there = self.keys[np.minimum(np.searchsorted(self.keys, grams), last)] == grams
        if not there.any():
            return self.owners[:0]
        known = np.unique(grams[there])
        ends = zip(np.searchsorted(self.keys, known), np.searchsorted(self.keys, known, side="right"), strict=True)
        return np.concatenate([self.owners[start:end] for start, end in ends])


class HeldOut:
    """The held-out rows of all tasks, 12 bytes an n-gram: numpy arrays only, so it is cheap to send to a worker."""

    def __init__(self, texts: Mapping[str, str] | Iterable[tuple[str, str]], config: CurateConfig) -> None:
        """texts: text -> its split (`validation` or `test`), or pairs of split and text."""
        pairs = ((split, text) for text, split in texts.items()) if isinstance(texts, Mapping) else texts
        self._overlap = config.min_held_out_overlap
        self._sizes = {name: rules.held_out_n_gram for name, rules in config.languages.items()}
        rows: dict[int, list[tuple[Hashes, int]]] = {}
        splits: list[int] = []
        counts: list[int] = []
        for split, given in pairs:
            text = compared_form(given)
            hashes = units(text)
            for size in sorted(set(self._sizes_of(text, len(hashes)))):
                grams = np.unique(n_grams(hashes, size))
                rows.setdefault(size, []).append((grams, len(splits)))
                splits.append(SPLITS.index(split))
                counts.append(len(grams))
        self._splits = np.array(splits, np.int8)
        self._counts = np.array(counts, np.int32)
        self._tables = {size: _table(found) for size, found in sorted(rows.items())}
        self.digest = self._digest()

    def match(self, text: str, language: str) -> Match:
        """The overlap of a document with held-out texts; the test split takes precedence. `text`: in its compared
        form.
        """
        if not self._tables:
            return NOTHING
        hashes = units(text)
        clear: list[int] = []
        passages: list[int] = []
        for size in self._looked_for(len(hashes), language):
            owners, is_passage = self._in(hashes, size)
            clear += owners[~is_passage].tolist()
            passages += owners[is_passage].tolist()
        return Match(self.reason(clear), () if clear else tuple(sorted(set(passages))))

    def reason(self, found: Collection[int]) -> str | None:
        """The reason to reject a document with these held-out texts; None without any."""
        splits = {SPLITS[self._splits[one]] for one in found}
        return f"in_task_{min(splits, key=SPLITS.index)}" if splits else None

    def _sizes_of(self, text: str, length: int) -> Iterator[int]:
        """The sizes of the n-grams of a held-out text, one for each language that documents with it may have; a short
        text is one n-gram.
        """
        script = script_language(text)
        for language, size in self._sizes.items():
            if length and (language == "zh") == (script == "zh"):
                yield min(size, length)

    def _looked_for(self, length: int, language: str) -> list[int]:
        longest = self._sizes.get(language, max(self._sizes.values()))
        return [size for size in self._tables if size == length or SHORTEST <= size <= min(longest, length)]

    def _in(self, hashes: Hashes, size: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
        """The held-out texts that share enough n-grams of this size with a document, and those that share only a
        passage.
        """
        grams = n_grams(hashes, size)
        owners, hits = np.unique(self._tables[size].found(grams), return_counts=True)
        enough = hits >= self._overlap * self._counts[owners]
        enough |= (hits >= size) & (hits >= self._overlap * len(grams))
        owners, hits = owners[enough], hits[enough]
        # hits n-grams in a row cover hits + size - 1 units: few in themselves, and few of the document's.
        is_passage = (hits < size) & (hits + size - 1 < self._overlap * len(hashes))
        return owners, is_passage

    def _digest(self) -> str:
        state = xxhash.xxh3_128()
        state.update(repr((self._overlap, self._sizes, list(self._tables))).encode())
        for table in self._tables.values():
            state.update(table.keys.tobytes())
            state.update(table.owners.tobytes())
        state.update(self._splits.tobytes())
        return state.hexdigest()


def _table(rows: list[tuple[Hashes, int]]) -> _Table:
    keys = np.concatenate([grams for grams, _ in rows])
    owners = np.repeat(np.array([owner for _, owner in rows], np.int32), [len(grams) for grams, _ in rows])
    order = np.argsort(keys, kind="stable")
    return _Table(keys[order], owners[order])
