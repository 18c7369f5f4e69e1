"""components.suites.summaries: news and their summaries, in JSON or in two files."""

from __future__ import annotations

from pathlib import Path

from components.suites.sources import read_task
from components.suites.suite import suite_of
from tests.small_suites import small_suite


def test_a_text_and_its_summary_are_the_same_in_either_form(tmp_path: Path) -> None:
    for name, columns in (("cnn_dailymail", ("article", "highlights")), ("xsum", ("document", "summary"))):
        suite = suite_of(name)
        raw = read_task(suite, suite.tasks[0], small_suite(name, tmp_path / name))["validation"][0]
        assert suite.tasks[0].inputs(raw) == {"text": raw[columns[0]]}
        assert suite.tasks[0].target(raw) == raw[columns[1]]
