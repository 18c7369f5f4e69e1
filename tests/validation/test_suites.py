"""Which expectations a table gets, and with which thresholds."""

from __future__ import annotations

import duckdb

from components.corpus.config import ValidateConfig
from components.validation.drift import COLUMNS
from components.validation.suites import expectations
from components.validation.tables import Table


def table(name: str, task: str = "", split: str = "", columns: tuple[str, ...] = ()) -> Table:
    return Table(name, duckdb.connect(), columns, 0, task, split, ("a", "b") if task else ())


def kinds(looked_at: Table, config: ValidateConfig) -> set[tuple[str, str]]:
    return {(one.expectation_type, getattr(one, "column", "")) for one in expectations(looked_at, config)}


def test_corpus_suite_covers_what_pretraining_relies_on(config: ValidateConfig) -> None:
    assert {
        ("expect_table_columns_to_match_set", ""),
        ("expect_table_row_count_to_be_between", ""),
        ("expect_column_values_to_be_unique", "id"),
        ("expect_column_values_to_be_unique", "fingerprint"),
        ("expect_column_values_to_not_be_null", "text"),
        ("expect_column_values_to_be_between", "characters"),
        ("expect_column_quantile_values_to_be_between", "characters"),
        ("expect_column_values_to_be_in_set", "script_fits"),
        ("expect_column_values_to_be_null", "personal_data"),
        ("expect_column_values_to_be_null", "held_out_in"),
    } <= kinds(table("corpus"), config)


def test_class_balance_is_asked_of_the_train_split_alone(config: ValidateConfig) -> None:
    balance = ("expect_column_values_to_be_between", "label_share")
    assert balance in kinds(table("t_train", "t", "train"), config)
    assert balance not in kinds(table("t_test", "t", "test"), config)


def test_agreement_of_labels_is_asked_of_every_split(config: ValidateConfig) -> None:
    for split in ("train", "validation", "test"):
        assert ("expect_column_values_to_be_null", "other_label") in kinds(table(f"t_{split}", "t", split), config)


def test_drift_is_held_against_its_bound(config: ValidateConfig) -> None:
    [one] = expectations(table("drift", columns=COLUMNS), config)
    assert (one.column, one.max_value) == ("stability_index", config.max_drift)  # type: ignore[attr-defined]


def test_every_expectation_says_its_rule(config: ValidateConfig) -> None:
    for looked_at in (table("corpus"), table("t_train", "t", "train"), table("drift", columns=COLUMNS)):
        assert all(one.description for one in expectations(looked_at, config))
