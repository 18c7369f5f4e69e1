"""The Great Expectations suites of the corpus, of each split of a task and of their drift.

A suite uses existing expectation types on measured columns; the thresholds are those of params.yaml.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import great_expectations.expectations as gxe

from components.corpus.config import ValidateConfig
from components.corpus.language import LANGUAGES
from components.corpus.language_codes import CODE
from components.validation.drift import COLUMNS as DRIFT_COLUMNS
from components.validation.measure import CORPUS_COLUMNS, TASK_COLUMNS
from components.validation.tables import CORPUS_MEASURED, TASK_MEASURED, Table

if TYPE_CHECKING:
    from great_expectations.expectations.expectation import Expectation


def expectations(table: Table, config: ValidateConfig) -> list[Expectation]:
    """The suite for a table."""
    if table.columns == DRIFT_COLUMNS:
        return drift_suite(config)
    return task_suite(table, config) if table.task else corpus_suite(config)


def corpus_suite(config: ValidateConfig) -> list[Expectation]:
    quantiles = sorted(config.length_quantiles)
    ranges = "; ".join(f"{low:,.0f} to {high:,.0f} at {quantile:.0%}" for quantile, low, high in quantiles)
    return [
        *_rows_suite((*CORPUS_COLUMNS, *CORPUS_MEASURED), config, "curate.scrub"),
        gxe.ExpectTableRowCountToBeBetween(
            min_value=config.min_documents, description=f"at least {config.min_documents:,} documents"
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="language",
            value_set=[*LANGUAGES, *sorted(CODE)],
            description=f"the language is one of {', '.join(LANGUAGES)}, or a programming language",
        ),
        gxe.ExpectColumnQuantileValuesToBeBetween(
            column="characters",
            quantile_ranges={
                "quantiles": [quantile for quantile, _, _ in quantiles],
                "value_ranges": [[low, high] for _, low, high in quantiles],
            },
            description=f"the quantiles of the lengths are {ranges}",
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="held_out_in",
            description="no document is a validation or test row of a task, no train document a validation one",
        ),
    ]


def task_suite(table: Table, config: ValidateConfig) -> list[Expectation]:
    labels = list(table.labels)
    suite = [
        *_rows_suite((*TASK_COLUMNS, *TASK_MEASURED), config, "`curate.scrub_labelled: true`"),
        gxe.ExpectColumnValuesToNotBeNull(
            column="label", description=f"every row {'has a tag for each token' if table.tagged else 'is labelled'}"
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="held_out_in", description="no row also stands in a split that is held out from this one"
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="other_label",
            mostly=_all_but(config.max_label_conflict_share),
            description=f"{_at_most(config.max_label_conflict_share)} have a text that another label is given to",
        ),
    ]
    if labels:
        suite.append(
            gxe.ExpectColumnValuesToBeInSet(
                column="label", value_set=labels, description=f"the label is one of {', '.join(labels)}"
            )
        )
    if table.split == "train" and labels:
        suite.append(
            gxe.ExpectColumnDistinctValuesToEqualSet(
                column="label", value_set=labels, description="no label is missing"
            )
        )
    if table.split == "train" and (labels or table.tagged):
        counted = "type has {} of the entities" if table.tagged else "class has {} of the rows"
        suite.append(
            gxe.ExpectColumnValuesToBeBetween(
                column="label_share",
                min_value=config.min_class_share,
                description=f"every {counted.format(f'{config.min_class_share:.1%}')} or more",
            )
        )
    return suite


def drift_suite(config: ValidateConfig) -> list[Expectation]:
    return [
        gxe.ExpectColumnValuesToBeBetween(
            column="stability_index",
            max_value=config.max_drift,
            description=f"no distribution moved further from the accepted data than {config.max_drift:g}",
        )
    ]


def _rows_suite(expected: tuple[str, ...], config: ValidateConfig, remedy: str) -> list[Expectation]:
    """The expectations for rows of any kind. remedy: the parameter that removes personal data from them."""
    return [
        gxe.ExpectTableColumnsToMatchSet(
            column_set=list(expected), exact_match=True, description=f"the columns are {', '.join(expected)}"
        ),
        gxe.ExpectColumnValuesToNotBeNull(column="id", description="every row has an id"),
        gxe.ExpectColumnValuesToBeUnique(column="id", description="no two rows have the same id"),
        gxe.ExpectColumnValuesToNotBeNull(
            column="text",
            mostly=_all_but(config.max_null_share),
            description=f"{_at_most(config.max_null_share)} have no text",
        ),
        gxe.ExpectColumnValuesToBeUnique(
            column="fingerprint",
            mostly=_all_but(config.max_duplicate_share),
            description=f"{_at_most(config.max_duplicate_share)} have a text that stands twice",
        ),
        gxe.ExpectColumnValuesToBeBetween(column="characters", min_value=1, description="no text is empty"),
        gxe.ExpectColumnValuesToBeInSet(
            column="script_fits",
            value_set=[True],
            mostly=config.min_language_share,
            description=f"{config.min_language_share:.1%} of the texts or more are in the script of their language",
        ),
        gxe.ExpectColumnValuesToBeNull(
            column="personal_data",
            mostly=_all_but(config.max_personal_data_share),
            description=f"{_at_most(config.max_personal_data_share)} have personal data in their text "
            f"(validate.max_personal_data_share; {remedy} takes it out)",
        ),
    ]


def _all_but(share: float) -> float:
    return 1.0 - share


def _at_most(share: float) -> str:
    return f"at most {share:.1%} of the rows" if share else "no rows"
