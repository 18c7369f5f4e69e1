"""Great Expectations' results, as findings that can be compared and shown, and equal to those of its pandas engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import duckdb
import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
import pytest

from benchmarks.validation import pandas_result
from components.corpus.config import ValidateConfig
from components.validation.expect import hold, judge
from components.validation.suites import expectations
from tests.small_tables import frame, stored

Database = duckdb.DuckDBPyConnection

GOOD_IDS = [f"doc/{number}" for number in range(30)]
FAULTS: dict[str, dict[str, list[object]]] = {
    "good rows": {},
    "ids and texts that are missing": {"id": [None, None, *GOOD_IDS[2:]], "text": ["some text"] * 20 + [None] * 10},
    "everything is missing": {"text": [None] * 30, "characters": [None] * 30, "fingerprint": [None] * 30},
    "ids that stand twice or thrice": {"id": ["b", "b", "a", "a", "a", *GOOD_IDS[5:]]},
    "texts that are empty": {"characters": [0, 0, *range(9, 37)]},
    "lengths that are far off": {"characters": [5000] * 20 + [None] * 10},
    "another language": {"language": ["fr", None, "de", *["en"] * 27]},
    "another script": {"script_fits": [False, None, *[True] * 28]},
    "leaks and personal data": {
        "held_out_in": ["topic/test", *[None] * 29],
        "personal_data": ["card", "email", *[None] * 28],
    },
    "a column too many": {"mood": ["sad"] * 30},
}


def same(value: Any) -> Any:
    """pandas keeps a column of whole numbers or booleans with nulls in it as numbers or objects with NaN."""
    if isinstance(value, dict):
        return {key: same(one) for key, one in value.items()}
    if isinstance(value, list):
        return [same(one) for one in value]
    return None if isinstance(value, float) and value != value else value


def told(outcome: Any) -> dict[tuple[str, str], Any]:
    return {
        (one.expectation_config.type, one.expectation_config.kwargs.get("column", "")): (
            bool(one.success),
            same(one.to_json_dict()["result"]),
        )
        for one in outcome.results
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_every_result_equals_that_of_the_pandas_engine(fault: str, database: Database, config: ValidateConfig) -> None:
    rows = frame(**FAULTS[fault])
    table = stored(database, rows)
    suite = expectations(table, config)
    ours = told(hold(table, gx.ExpectationSuite(name="corpus", expectations=suite)))
    assert len(ours) == len(suite)
    assert ours == told(pandas_result(rows, suite))


@pytest.mark.parametrize("labels", [["a", "b"] * 15, ["a"] * 30, ["a", "b", "c", None, "d"] * 6])
def test_results_on_labels_equal_those_of_the_pandas_engine(
    labels: list[object], database: Database, config: ValidateConfig
) -> None:
    rows = frame(label=labels, other_label=[None] * 29 + ["b"], label_share=[0.05] * 3 + [0.5] * 27)
    table = stored(database, rows, "t_train", task="t", split="train", labels=("a", "b"))
    suite = expectations(table, config)
    ours = told(hold(table, gx.ExpectationSuite(name="t_train", expectations=suite)))
    assert ours == told(pandas_result(rows, suite))


@pytest.mark.parametrize(
    "expectation",
    [
        gxe.ExpectColumnValuesToBeBetween(column="line", min_value=3, max_value=20),
        gxe.ExpectColumnValuesToBeBetween(column="line", min_value=3, max_value=20, strict_min=True, strict_max=True),
        gxe.ExpectColumnValuesToBeBetween(column="line", max_value=20, mostly=0.7),
        gxe.ExpectColumnQuantileValuesToBeBetween(
            column="line",
            quantile_ranges={"quantiles": [0.0, 0.05, 0.25, 0.5, 0.75, 1.0], "value_ranges": [[0, 30]] * 6},
        ),
    ],
)
def test_bounds_and_quantiles_mean_what_they_mean_in_the_pandas_engine(expectation: Any, database: Database) -> None:
    rows = frame(line=[number // 2 for number in range(30)])
    ours = hold(stored(database, rows), gx.ExpectationSuite(name="corpus", expectations=[expectation]))
    assert told(ours) == told(pandas_result(rows, [expectation]))


def judged(rows: pd.DataFrame, database: Database, config: ValidateConfig, docs: Path) -> Any:
    return judge([stored(database, rows)], config, docs)["corpus"]


def test_good_rows_break_nothing(database: Database, tmp_path: Path, config: ValidateConfig) -> None:
    findings = judged(frame(), database, config, tmp_path / "docs")
    assert len(findings) == 12
    assert all(finding.success for finding in findings)


def test_a_broken_expectation_names_its_rows(database: Database, tmp_path: Path, config: ValidateConfig) -> None:
    findings = judged(frame(characters=[0, 0, *range(9, 37)]), database, config, tmp_path / "docs")
    [broken] = [finding for finding in findings if not finding.success and finding.examples]
    assert (broken.expectation, broken.column) == ("expect_column_values_to_be_between", "characters")
    assert broken.unexpected_count == 2
    assert broken.examples[0] == {"id": "doc/0", "text": "some text", "characters": 0}


def test_at_most_five_examples_are_kept(database: Database, tmp_path: Path, config: ValidateConfig) -> None:
    findings = judged(frame(text=[None] * 30), database, config, tmp_path / "docs")
    [broken] = [finding for finding in findings if not finding.success]
    assert broken.unexpected_count == 30
    assert [example["text"] for example in broken.examples] == [None] * 5


def test_an_expectation_on_a_missing_column_fails_instead_of_crashing(
    database: Database, tmp_path: Path, config: ValidateConfig
) -> None:
    findings = judged(frame().drop(columns="language"), database, config, tmp_path / "docs")
    [broken] = [finding for finding in findings if not finding.success and finding.column == "language"]
    assert "language" in broken.observed


def test_telemetry_is_off() -> None:
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"


def test_new_docs_replace_the_old_pages_and_leave_other_files_alone(
    database: Database, tmp_path: Path, config: ValidateConfig
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    judge([stored(database, frame(), "before")], config, tmp_path)
    judge([stored(database, frame())], config, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.glob("validations/*.html")] == ["corpus.html"]
