"""Numbers of blocks add up to those of the corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.corpus.counts import SAMPLES, CorpusCounts
from components.corpus.write_block import LENGTHS, BlockCounts
from components.errors import DataError


def account(source: str, train: int, rejected: int) -> BlockCounts:
    told = BlockCounts(source)
    told.kept.update(train=train)
    told.languages["en"] = train
    told.characters["en"] = 100 * train
    told.lengths["en"] = np.histogram([100] * train, LENGTHS)[0]
    told.rejected = [{"reason": "empty", "file": "f", "line": row, "id": "i", "text": ""} for row in range(rejected)]
    return told


def test_what_was_read_is_what_was_kept_and_what_was_not() -> None:
    counts = CorpusCounts()
    counts.add(account("sea", 5, 2))
    counts.add(account("sea", 1, 7))
    counts.add(account("lake", 3, 0))
    assert (counts.read, counts.documents, counts.rejected) == (18, 9, {"empty": 9})
    assert counts.sources == {"lake": 3, "sea": 6}
    assert counts.lengths["en"].sum() == 9
    assert len(counts.samples["empty"]) == SAMPLES
    metrics = counts.metrics(["empty", "too_short"], ["email_scrubbed"])
    assert metrics["quarantined"] == {"empty": 9, "too_short": 0}
    assert metrics["changed"] == {"email_scrubbed": 0}


def test_a_split_without_documents_is_refused_with_the_reasons() -> None:
    counts = CorpusCounts()
    counts.add(account("sea", 5, 2))
    with pytest.raises(DataError, match=r"for the validation split \(rejected: empty 2\)"):
        counts.refuse_empty(Path("data/corpus"))
