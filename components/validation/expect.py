"""Great Expectations at work: tables and suites in, verdicts and data docs out.

The only module that knows its contexts, checkpoints and result formats. Nothing is sent anywhere.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import ProgressBarsConfig

from components.params import ValidateConfig
from components.validation.pages import finish_pages
from components.validation.suites import expectations
from components.validation.tables import Table

EXAMPLES = 5
NAMED_BY = ("id", "text")


@dataclass(frozen=True)
class Finding:
    """What became of one expectation: how many rows broke it, and the first few of them."""

    expectation: str
    column: str
    rule: str
    success: bool
    observed: Any
    unexpected_count: int
    examples: list[dict[str, Any]]


def judge(tables: Iterable[Table], config: ValidateConfig, docs: Path) -> dict[str, list[Finding]]:
    """Hold each table against its suite and write the data docs. Returns findings by table name."""
    context = _context(docs)
    findings = {}
    for table in tables:
        suite = context.suites.add(gx.ExpectationSuite(name=table.name, expectations=expectations(table, config)))
        asset = context.data_sources.add_pandas(table.name).add_dataframe_asset("rows")
        batch = asset.add_batch_definition_whole_dataframe("all")
        definition = gx.ValidationDefinition(name=table.name, data=batch, suite=suite)
        checkpoint = gx.Checkpoint(
            name=table.name,
            validation_definitions=[context.validation_definitions.add(definition)],
            result_format={
                "result_format": "SUMMARY",
                "partial_unexpected_count": EXAMPLES,
                "unexpected_index_column_names": list(NAMED_BY),
            },
        )
        result = context.checkpoints.add(checkpoint).run({"dataframe": table.frame}, run_id=RunIdentifier(table.name))
        [outcome] = result.run_results.values()
        findings[table.name] = sorted(map(_finding, outcome.results), key=lambda one: (one.column, one.expectation))
    context.build_data_docs()
    finish_pages(docs, findings)
    return findings


def _context(docs: Path) -> Any:
    """A context that lives in memory; its pages go to `docs`."""
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    for folder in ("expectations", "validations", "static"):
        shutil.rmtree(docs / folder, ignore_errors=True)
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for name in context.get_site_names():
        context.delete_data_docs_site(name)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.absolute())}
    site: Any = {
        "class_name": "SiteBuilder",
        "store_backend": store,
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "show_how_to_buttons": False,
    }
    context.add_data_docs_site(site_name="lianzi", site_config=site)
    return context


def _finding(result: Any) -> Finding:
    """An expectation that could not be tried, for want of its column say, is one that does not hold."""
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
    """What went wrong in trying an expectation: its own entry, or the first of those its metrics left."""
    entries = [info] if "raised_exception" in info else list(info.values())
    return next((str(entry["exception_message"]) for entry in entries if entry["raised_exception"]), None)


def _plain(value: Any) -> Any:
    """What JSON can hold: NaN is a null, numpy's numbers are plain ones."""
    text = json.dumps(value, default=lambda one: one.item() if hasattr(one, "item") else str(one))
    return json.loads(text, parse_constant=lambda _: None)
