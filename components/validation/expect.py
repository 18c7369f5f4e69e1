"""Great Expectations: tables and suites in, verdicts and data docs out.

The only module that knows the dependencies, results and pages of expectations. `metrics` computes the numbers; the
verdict and the form of every result are Great Expectations' own. Nothing is sent anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
)
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.expectations.expectation import Expectation
from great_expectations.validator.exception_info import ExceptionInfo
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validation_statistics import calc_validation_statistics

from components.corpus.config import ValidateConfig
from components.validation.metrics import TableMetrics
from components.validation.pages import clear_pages, write_index, write_pages
from components.validation.suites import expectations
from components.validation.tables import Table

EXAMPLES = 5
NAMED_BY = ("id", "text")
RESULT_FORMAT = {
    "result_format": "SUMMARY",
    "partial_unexpected_count": EXAMPLES,
    "unexpected_index_column_names": list(NAMED_BY),
}


@dataclass(frozen=True)
class Finding:
    """The result of one expectation: how many rows broke it, and the first few of them."""

    expectation: str
    column: str
    rule: str
    success: bool
    observed: Any
    unexpected_count: int
    examples: list[dict[str, Any]]


def judge(tables: Iterable[Table], config: ValidateConfig, docs: Path) -> dict[str, list[Finding]]:
    """Validate each table with its suite and write the data docs. Returns findings by table name."""
    clear_pages(docs)
    findings = {}
    for table in tables:
        suite = gx.ExpectationSuite(name=table.name, expectations=expectations(table, config))
        outcome = hold(table, suite)
        write_pages(docs, suite, outcome)
        findings[table.name] = sorted(map(finding, outcome.results), key=lambda one: (one.column, one.expectation))
    write_index(docs, findings)
    return findings


def hold(table: Table, suite: gx.ExpectationSuite) -> ExpectationSuiteValidationResult:
    """Great Expectations' result of a suite for a table."""
    metrics = TableMetrics(table, EXAMPLES, NAMED_BY)
    wanted = [_dependencies(table, expectation) for expectation in suite.expectations]
    metrics.count_ahead(one for needed in wanted for one in needed)
    results = [_result(one, metrics, needed) for one, needed in zip(suite.expectations, wanted, strict=True)]
    statistics = calc_validation_statistics(results)
    return ExpectationSuiteValidationResult(
        results=results,
        success=statistics.success,
        suite_name=suite.name,
        statistics=statistics._asdict(),
        meta={"great_expectations_version": gx.__version__, "run_id": RunIdentifier(suite.name)},
    )


def _result(
    expectation: Expectation, metrics: TableMetrics, wanted: list[MetricConfiguration]
) -> ExpectationValidationResult:
    """An expectation on a missing column fails."""
    if not wanted:
        message = f'Error: The column "{_column(expectation)}" in BatchData does not exist.'
        return ExpectationValidationResult(
            success=False,
            expectation_config=expectation.configuration,
            exception_info=ExceptionInfo(exception_traceback="", exception_message=message),
        )
    return expectation.metrics_validate(metrics.values(wanted), {"result_format": dict(RESULT_FORMAT)})


def _dependencies(table: Table, expectation: Expectation) -> list[MetricConfiguration]:
    """The metrics that an expectation's verdict depends on; none where its column is missing."""
    column = _column(expectation)
    if column and column not in table.columns:
        return []
    needed = expectation.get_validation_dependencies(None, {"result_format": dict(RESULT_FORMAT)})
    return needed.get_metric_configurations()


def _column(expectation: Expectation) -> str:
    return getattr(expectation, "column", "")


def finding(result: Any) -> Finding:
    """An expectation that raises an error, for example for a missing column, fails."""
    details = result.result
    return Finding(
        expectation=result.expectation_config.type,
        column=result.expectation_config.kwargs.get("column", ""),
        rule=result.expectation_config.description,
        success=bool(result.success),
        observed=_plain(details.get("observed_value", _exception(result.exception_info))),
        unexpected_count=details.get("unexpected_count", 0),
        examples=_plain(details.get("partial_unexpected_index_list") or []),
    )


def _exception(info: Mapping[str, Any]) -> str | None:
    """The error of an expectation: its own, or the first of its metrics'."""
    entries = [info] if "raised_exception" in info else list(info.values())
    return next((str(entry["exception_message"]) for entry in entries if entry["raised_exception"]), None)


def _plain(value: Any) -> Any:
    """The value as JSON: NaN is null, numpy's numbers are plain numbers."""
    text = json.dumps(value, default=lambda one: one.item() if hasattr(one, "item") else str(one))
    return json.loads(text, parse_constant=lambda _: None)
