"""Great Expectations' results, as findings that can be compared and shown."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from components.params import ValidateConfig
from components.validation.expect import judge
from components.validation.tables import CORPUS_COLUMNS, MEASURED, Table


def table(**changed: list[object]) -> Table:
    good: dict[str, list[object]] = {
        "id": [f"doc/{number}" for number in range(30)],
        "text": ["some text"] * 30,
        "source": ["doc"] * 30,
        "language": ["en"] * 30,
        "characters": [9] * 30,
        "fingerprint": list(range(30)),
        "script_fits": [True] * 30,
        "held_out_in": [None] * 30,
    }
    assert set(good) == {*CORPUS_COLUMNS, *MEASURED}
    return Table("corpus", pd.DataFrame(good | changed))


def test_good_rows_break_nothing(tmp_path: Path, config: ValidateConfig) -> None:
    findings = judge([table()], config, tmp_path / "docs")["corpus"]
    assert len(findings) == 10
    assert all(finding.success for finding in findings)


def test_a_broken_expectation_names_its_rows(tmp_path: Path, config: ValidateConfig) -> None:
    findings = judge([table(characters=[0, 0] + [9] * 28)], config, tmp_path / "docs")["corpus"]
    [broken] = [finding for finding in findings if not finding.success]
    assert (broken.expectation, broken.column) == ("expect_column_values_to_be_between", "characters")
    assert broken.unexpected_count == 2
    assert broken.examples[0] == {"id": "doc/0", "text": "some text", "characters": 0}


def test_at_most_five_examples_are_kept_and_nan_is_null(tmp_path: Path, config: ValidateConfig) -> None:
    findings = judge([table(text=[None] * 30)], config, tmp_path / "docs")["corpus"]
    [broken] = [finding for finding in findings if not finding.success]
    assert broken.unexpected_count == 30
    assert [example["text"] for example in broken.examples] == [None] * 5


def test_an_expectation_on_a_missing_column_fails_instead_of_crashing(tmp_path: Path, config: ValidateConfig) -> None:
    bare = Table("corpus", table().frame.drop(columns="language"))
    findings = judge([bare], config, tmp_path / "docs")["corpus"]
    [broken] = [finding for finding in findings if not finding.success and finding.column == "language"]
    assert "language" in broken.observed


def test_telemetry_is_off() -> None:
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_new_docs_replace_the_old_pages_and_leave_other_files_alone(tmp_path: Path, config: ValidateConfig) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    judge([table()], config, tmp_path)
    judge([table()], config, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(list(tmp_path.glob("validations/**/*.html"))) == 1
