"""What is rejected is written down and counted."""

from __future__ import annotations

import io
import json
from pathlib import Path

from components.corpus.quarantine import EXCERPT, Quarantine, excerpt
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


def test_what_tells_of_a_person_is_not_written_down_again() -> None:
    stream = io.StringIO()
    quarantine = Quarantine(stream, Path("/somewhere/data"))
    record = Record(Path("/somewhere/data/corpus/a.txt"), 3, {})
    quarantine.put(record, "a/3", "来信 ann.lee@mail.org 谢谢", "duplicate")
    assert json.loads(stream.getvalue())["text"] == "来信 <EMAIL> 谢谢"


def test_a_number_across_the_end_of_the_excerpt_is_found_whole() -> None:
    assert "4111" not in excerpt("a" * (EXCERPT - 8) + " 4111 1111 1111 1111 was charged", "duplicate")


def test_of_a_row_that_was_to_be_forgotten_nothing_is_kept() -> None:
    assert excerpt("somebody's words", "removed") == ""
