"""Numbers of blocks add up to those of the corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.corpus.finished_block import LENGTHS, Account
from components.corpus.ledger import SAMPLES, Ledger
from components.errors import DataError


def account(source: str, train: int, rejected: int) -> Account:
    told = Account(source)
    told.kept.update(train=train)
    told.languages["en"] = train
    told.characters["en"] = 100 * train
    told.lengths["en"] = np.histogram([100] * train, LENGTHS)[0]
    told.rejected = [{"reason": "empty", "file": "f", "line": row, "id": "i", "text": ""} for row in range(rejected)]
    return told


def test_what_was_read_is_what_was_kept_and_what_was_not() -> None:
    ledger = Ledger()
    ledger.add(account("sea", 5, 2))
    ledger.add(account("sea", 1, 7))
    ledger.add(account("lake", 3, 0))
    assert (ledger.read, ledger.documents, ledger.rejected) == (18, 9, {"empty": 9})
    assert ledger.sources == {"lake": 3, "sea": 6}
    assert ledger.lengths["en"].sum() == 9
    assert len(ledger.samples["empty"]) == SAMPLES
    metrics = ledger.metrics(["empty", "too_short"], ["email_scrubbed"])
    assert metrics["quarantined"] == {"empty": 9, "too_short": 0}
    assert metrics["changed"] == {"email_scrubbed": 0}


def test_a_split_without_documents_is_refused_with_the_reasons() -> None:
    ledger = Ledger()
    ledger.add(account("sea", 5, 2))
    with pytest.raises(DataError, match=r"for the validation split \(rejected: empty 2\)"):
        ledger.refuse_empty(Path("data/corpus"))
