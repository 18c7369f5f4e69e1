"""lianzi pass-at-k: scores in a line, and mistakes in one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main

ROW = {"prompt": "# ", "test": "assert True"}


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps(ROW) + "\n")
    return path


def ask(*words: str) -> Result:
    return CliRunner().invoke(main, ["pass-at-k", *words])


def test_what_passes_is_told_in_a_line(decoder_bundle: Path, rows: Path) -> None:
    found = ask(str(decoder_bundle), str(rows), "--samples", "2", "--k", "1", "--max-tokens", "4")
    assert found.exit_code == 0, found.output
    assert found.output == "pass@1 1.0000; problems 1, programs for each 2\n"


def test_more_of_them_than_are_written_is_a_mistake(decoder_bundle: Path, rows: Path) -> None:
    found = ask(str(decoder_bundle), str(rows), "--samples", "2")
    assert found.exit_code == 1
    assert "--k 10: more than --samples 2" in found.output


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"prompt": "a"}, "no 'test'"),
        ({"prompt": "a", "test": " "}, "'test' is empty"),
        ({**ROW, "canonical_solution": ["a"]}, "'canonical_solution' is a list, not text"),
        ({**ROW, "prompt": "\ud800"}, "not valid Unicode"),
        ({**ROW, "prompt": "a " * 1000}, "the prompt has "),
    ],
)
def test_a_row_that_asks_nothing_is_named(row: object, told: str, decoder_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))
    found = ask(str(decoder_bundle), str(tmp_path / "rows.jsonl"), "--samples", "2", "--k", "1")
    assert found.exit_code == 1
    assert f"rows.jsonl:1: {told}" in found.output
    assert len(found.output.splitlines()) <= 2
