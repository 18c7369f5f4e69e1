"""Great Expectations at work: tables and suites in, verdicts and data docs out.

The only module that knows its contexts, checkpoints and result formats. Nothing is sent anywhere: its analytics
are off, and the picture its pages would fetch from a counting server is taken from their own folder.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import great_expectations as gx
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context.types.base import ProgressBarsConfig

from components.params import ValidateConfig
from components.validation.suites import expectations
from components.validation.tables import Table

EXAMPLES = 5
NAMED_BY = ("id", "text")
COUNTED_PICTURE = re.compile(r"https://great-expectations-web-assets\.[^\"')]*?/([\w-]+\.png)[^\"')]*")


@dataclass(frozen=True)
class Finding:
    """What became of one expectation: how many rows broke it, and the first few of them."""

    expectation: str
    column: str
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
    _keep_pictures_local(docs)
    return findings


def _context(docs: Path) -> Any:
    """A context that lives in memory; its pages go to `docs`."""
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    shutil.rmtree(docs, ignore_errors=True)
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    for site in context.get_site_names():
        context.delete_data_docs_site(site)
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.absolute())}
    context.add_data_docs_site(
        site_name="lianzi",
        site_config={
            "class_name": "SiteBuilder",
            "store_backend": store,
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        },
    )
    return context


def _finding(result: Any) -> Finding:
    details = result.result
    if result.exception_info.get("raised_exception"):
        raise RuntimeError(result.exception_info["exception_message"])
    return Finding(
        expectation=result.expectation_config.type,
        column=result.expectation_config.kwargs.get("column", ""),
        success=bool(result.success),
        observed=details.get("observed_value"),
        unexpected_count=details.get("unexpected_count", 0),
        examples=details.get("partial_unexpected_index_list") or [],
    )


def _keep_pictures_local(docs: Path) -> None:
    for page in docs.rglob("*.html"):
        root = "../" * len(page.relative_to(docs).parents[:-1])
        content = page.read_text(encoding="utf-8")
        page.write_text(COUNTED_PICTURE.sub(rf"{root}static/images/\1", content), encoding="utf-8")
