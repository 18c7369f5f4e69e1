"""What is rejected is written down and counted."""

from __future__ import annotations

import io
import json
from pathlib import Path

from components.corpus.quarantine import EXCERPT, Quarantine
from components.corpus.read import Record


def test_rejected_row_is_written_with_place_reason_and_excerpt() -> None:
    stream = io.StringIO()
    quarantine = Quarantine(stream, Path("/somewhere/data"))
    record = Record(Path("/somewhere/data/corpus/a.txt"), 3, {})
    quarantine.put(record, "a/3", "長" * 500, "too_long")
    assert json.loads(stream.getvalue()) == {
        "file": "corpus/a.txt",
        "line": 3,
        "id": "a/3",
        "reason": "too_long",
        "text": "長" * EXCERPT,
    }
    assert quarantine.counts == {"too_long": 1}
