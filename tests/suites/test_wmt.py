"""components.suites.wmt: sentences of two files, in either name that test sets have."""

from __future__ import annotations

from pathlib import Path

from components.suites.sources import read_task
from components.suites.suite import suite_of
from tests.small_suites import COUNTS, small_suite


def test_a_sentence_is_answered_by_the_same_line_of_the_other_file(tmp_path: Path) -> None:
    suite = suite_of("wmt16/en-ro")
    found = read_task(suite, suite.tasks[0], small_suite("wmt16", tmp_path))
    assert {split: len(rows) for split, rows in found.items()} == COUNTS
    pair = found["test"][0]["translation"]
    assert suite.tasks[0].inputs(found["test"][0]) == {"text": pair["en"]}
    assert suite.tasks[0].target(found["test"][0]) == pair["ro"]
