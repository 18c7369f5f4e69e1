"""Which expectations a table gets, and with which thresholds."""

from __future__ import annotations

import pandas as pd

from components.params import ValidateConfig
from components.validation.suites import expectations
from components.validation.tables import Table


def kinds(table: Table, config: ValidateConfig) -> set[tuple[str, str]]:
    return {(one.expectation_type, getattr(one, "column", "")) for one in expectations(table, config)}


def test_corpus_suite_covers_what_pretraining_relies_on(config: ValidateConfig) -> None:
    found = kinds(Table("corpus", pd.DataFrame()), config)
    assert {
        ("expect_table_columns_to_match_set", ""),
        ("expect_table_row_count_to_be_between", ""),
        ("expect_column_values_to_be_unique", "id"),
        ("expect_column_values_to_be_unique", "fingerprint"),
        ("expect_column_values_to_not_be_null", "text"),
        ("expect_column_values_to_be_between", "characters"),
        ("expect_column_values_to_be_in_set", "script_fits"),
        ("expect_column_values_to_be_null", "held_out_in"),
    } <= found


def test_class_balance_is_asked_of_the_train_split_alone(config: ValidateConfig) -> None:
    balance = ("expect_column_values_to_be_between", "label_share")
    assert balance in kinds(Table("t_train", pd.DataFrame(), "t", "train", ("a", "b")), config)
    assert balance not in kinds(Table("t_test", pd.DataFrame(), "t", "test", ("a", "b")), config)


def test_every_expectation_says_its_rule(config: ValidateConfig) -> None:
    for table in (Table("corpus", pd.DataFrame()), Table("t_train", pd.DataFrame(), "t", "train", ("a", "b"))):
        assert all(one.description for one in expectations(table, config))
