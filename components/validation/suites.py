"""What is expected of the corpus and of each split of a task, as Great Expectations suites.

`Suite` pairs a table's name with expectations; the thresholds are those of params.yaml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import great_expectations.expectations as gxe

from components.corpus.language import LANGUAGES
from components.params import ValidateConfig
from components.validation.tables import CORPUS_COLUMNS, MEASURED, TASK_COLUMNS, Table

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


def expectations(table: Table, config: ValidateConfig) -> list[Expectation]:
    """The suite for a table."""
    return task_suite(table, config) if table.task else corpus_suite(config)


def corpus_suite(config: ValidateConfig) -> list[Expectation]:
    return [
        *_rows_suite(CORPUS_COLUMNS, config),
        gxe.ExpectTableRowCountToBeBetween(
            min_value=config.min_documents, description=f"at least {config.min_documents:,} documents"
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="language", value_set=list(LANGUAGES), description=f"the language is one of {', '.join(LANGUAGES)}"
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="held_out_in", description="no document is a validation or test row of a task"
        ),
    ]


def task_suite(table: Table, config: ValidateConfig) -> list[Expectation]:
    labels = list(table.labels)
    suite = [
        *_rows_suite((*TASK_COLUMNS, "label_share"), config),
        gxe.ExpectColumnValuesToNotBeNull(column="label", description="every row is labelled"),
        gxe.ExpectColumnValuesToBeInSet(
            column="label", value_set=labels, description=f"the label is one of {', '.join(labels)}"
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="held_out_in", description="no row also stands in a split that is held out from this one"
        ),
    ]
    if table.split == "train":
        suite += [
            gxe.ExpectColumnDistinctValuesToEqualSet(
                column="label", value_set=labels, description="no label is missing"
            ),
            gxe.ExpectColumnValuesToBeBetween(
                column="label_share",
                min_value=config.min_class_share,
                description=f"every class has {config.min_class_share:.1%} of the rows or more",
            ),
        ]
    return suite


def _rows_suite(columns: tuple[str, ...], config: ValidateConfig) -> list[Expectation]:
    """What holds for rows of any kind."""
    expected = [*columns, *MEASURED]
    filled = 1.0 - config.max_null_share
    return [
        gxe.ExpectTableColumnsToMatchSet(
            column_set=expected, exact_match=True, description=f"the columns are {', '.join(expected)}"
        ),
        gxe.ExpectColumnValuesToNotBeNull(column="id", description="every row has an id"),
        gxe.ExpectColumnValuesToBeUnique(column="id", description="no two rows have the same id"),
        gxe.ExpectColumnValuesToNotBeNull(
            column="text", mostly=filled, description=f"at most {config.max_null_share:.1%} of the rows have no text"
        ),
        gxe.ExpectColumnValuesToBeUnique(column="fingerprint", description="no text stands twice"),
        gxe.ExpectColumnValuesToBeBetween(column="characters", min_value=1, description="no text is empty"),
        gxe.ExpectColumnValuesToBeInSet(
            column="script_fits",
            value_set=[True],
            mostly=config.min_language_share,
            description=f"{config.min_language_share:.1%} of the texts or more are in the script of their language",
        ),
    ]
