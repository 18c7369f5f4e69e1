"""Where the pandas engine's numbers are not at hand to compare with: what is counted, and how little is held."""

from __future__ import annotations

import duckdb
import great_expectations.expectations as gxe
import pytest

from components.validation import metrics as module
from components.validation.metrics import TableMetrics
from tests.small_tables import frame, stored

Database = duckdb.DuckDBPyConnection


def test_no_more_rows_are_read_than_are_shown(database: Database) -> None:
    metrics = TableMetrics(stored(database, frame(line=[0] * 30)), 3, ("id",))
    wanted = gxe.ExpectColumnValuesToBeBetween(column="line", min_value=1).get_validation_dependencies()
    asked = wanted.get_metric_configurations()
    metrics.count_ahead(asked)
    found = {one.metric_name: value for one, value in zip(asked, metrics.values(asked).values(), strict=True)}
    assert found["column_values.between.unexpected_count"] == 30
    assert found["column_values.between.unexpected_values"] == [0, 0, 0]


def test_repeated_values_are_found_however_few_hashes_are_sorted_at_a_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = frame(id=["b", "b", None, None, *(f"doc/{number}" for number in range(25)), "b"])
    metrics = TableMetrics(stored(database, rows), 5, ("id",))
    monkeypatch.setattr(module, "HASHED_ROWS", 4)
    assert database.execute(f"FROM {metrics.repeated('id')}").fetchall() == [("b", 3)]
    assert metrics.repeated("fingerprint") == ""


def test_names_are_quoted(database: Database) -> None:
    rows = frame().rename(columns={"line": 'a "line" in it'})
    metrics = TableMetrics(stored(database, rows, 'a "table"'), 5, ("id",))
    assert metrics.value_counts('a "line" in it')["7"] == 1
