"""The page of a curation, from its numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.corpus.finished_block import LENGTHS, Account
from components.corpus.ledger import Ledger
from components.corpus.report import write_report


def test_the_page_names_reasons_places_and_lengths(tmp_path: Path) -> None:
    account = Account("sea")
    account.kept.update(train=1, validation=1)
    account.languages["zh"] = 2
    account.lengths["zh"] = np.histogram([12, 130], LENGTHS)[0]
    text = "<script>alert(1)</script>"
    account.rejected = [{"file": "corpus/sea.txt", "line": 7, "id": "sea/7", "reason": "too_short", "text": text}]
    ledger = Ledger()
    ledger.add(account)
    write_report(tmp_path, ledger)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "2 of 3 rows kept (66.7%)" in page
    assert "too_short: 1" in page
    assert "corpus/sea.txt:7" in page
    assert "<script>" not in page
    assert "10 to 18: 1" in page
