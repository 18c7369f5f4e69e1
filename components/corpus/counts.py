"""Counts over the whole corpus, summed from its blocks: the numbers of the metrics, the manifest and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from components.corpus.documents import SPLITS
from components.corpus.quarantine import SAMPLES
from components.corpus.write_block import LENGTHS, BlockCounts
from components.errors import DataError
from components.run import Metrics


@dataclass
class CorpusCounts:
    """`flows`: rows by (source, outcome); `samples`: a few rows of each reason and each change."""

    flows: Counter[tuple[str, str]] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    changes: Counter[str] = field(default_factory=Counter)
    lengths: dict[str, np.ndarray] = field(default_factory=dict)
    samples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, block: BlockCounts) -> None:
        for split, count in block.kept.items():
            self.flows[block.source, split] += count
        for row in block.rejected:
            self.flows[block.source, row["reason"]] += 1
            self._sample(row["reason"], row)
        for row in block.changed:
            for change in row["changes"]:
                self._sample(change, row)
        self.languages += block.languages
        self.characters += block.characters
        self.changes += block.changes
        for language, counts in block.lengths.items():
            self.lengths[language] = self.lengths.get(language, np.zeros(len(LENGTHS) - 1, dtype=np.int64)) + counts

    @property
    def read(self) -> int:
        return self.flows.total()

    @property
    def kept(self) -> Counter[str]:
        return Counter({split: self.count(split) for split in SPLITS})

    @property
    def documents(self) -> int:
        return self.kept.total()

    @property
    def rejected(self) -> dict[str, int]:
        """Rows by reason, the most frequent first."""
        found = {outcome for _, outcome in self.flows} - set(SPLITS)
        return dict(sorted(((reason, self.count(reason)) for reason in found), key=lambda one: (-one[1], one[0])))

    @property
    def sources(self) -> dict[str, int]:
        """Documents kept of each source."""
        names = sorted({source for source, _ in self.flows})
        return {name: sum(self.flows[name, split] for split in SPLITS) for name in names}

    def count(self, outcome: str) -> int:
        return sum(count for (_, found), count in self.flows.items() if found == outcome)

    def refuse_empty(self, folder: Path) -> None:
        """Raises DataError when a split has no document."""
        for split in SPLITS:
            if not self.kept[split]:
                reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(self.rejected.items())) or "none"
                raise DataError(
                    f"{folder}: no document is left for the {split} split (rejected: {reasons})",
                    "add documents, loosen `curate:` in params.yaml, or raise curate.validation_fraction",
                )

    def manifest(self) -> dict[str, Any]:
        """The statistics of the corpus for its manifest."""
        return {
            "counts": {"read": self.read, "kept": dict(self.kept), **self.rejected},
            "sources": self.sources,
            "languages": dict(sorted(self.languages.items())),
        }

    def metrics(self, reasons: Iterable[str], changes: Iterable[str]) -> Metrics:
        """Every reason and change, with 0 for those that did not occur."""
        return {
            "documents": {"read": self.read, **self.kept},
            "quarantined": {reason: self.count(reason) for reason in reasons},
            "changed": {change: self.changes[change] for change in changes},
            "languages": dict(sorted(self.languages.items())),
            "characters": dict(sorted(self.characters.items())),
        }

    def _sample(self, name: str, row: dict[str, Any]) -> None:
        samples = self.samples.setdefault(name, [])
        if len(samples) < SAMPLES:
            samples.append(row)
