"""The data docs: Great Expectations' pages, made small enough to open at once, and an index page of all suites.

The original pages load scripts and styles from content networks, and a picture from a counting server; these keep the
tables, have a short style of their own and load nothing. They show no time, and random names are numbered: equal
results give equal bytes. A suite of thousands of expectations has several pages.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult

PAGE_RESULTS = 100
FOLDERS = ("validations", "expectations")
FROM_NETWORKS = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer>|<nav\b.*?</nav>|<style\b.*?</style>",
    re.DOTALL,
)
RUN_TIME = re.compile(r"<tr>\s*<td[^>]*>\s*<div[^>]*>Run Time</div>.*?</tr>", re.DOTALL)
RANDOM_NAME = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
INDENTATION = re.compile(r"\s*\n\s*")

STYLE = """body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ccc; }
.failed, .text-danger, .alert-danger { color: #b00020; font-weight: 600; }
.text-success { color: #1b7f3b; }
.badge { background: #eee; border-radius: .2rem; padding: 0 .3rem; }
.cooltip .top { display: none; }
"""

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Data validation</title>
<style>
{style}</style></head><body>
<h1>Data validation: {verdict}</h1>
<table><tr><th>suite</th><th>verdict</th><th>expectations that hold</th><th></th></tr>
{rows}
</table></body></html>
"""


class Outcome(Protocol):
    """The entry of an expectation on a page."""

    @property
    def success(self) -> bool: ...


def clear_pages(docs: Path) -> None:
    """Delete the pages of an earlier run, and no other files."""
    for folder in (*FOLDERS, "static"):
        shutil.rmtree(docs / folder, ignore_errors=True)


def write_pages(docs: Path, suite: ExpectationSuite, outcome: ExpectationSuiteValidationResult) -> None:
    """Great Expectations' pages of a suite and of its results, failed expectations first."""
    from great_expectations.render.renderer import ExpectationSuitePageRenderer, ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    view = DefaultJinjaPageView()
    results: list[Any] = sorted(outcome.results, key=lambda one: bool(one.success))
    for number, part in enumerate(_parts(results), 1):
        shown = copy(outcome)
        shown.results = part
        content = view.render(ValidationResultsPageRenderer().render(shown), show_how_to_buttons=False)
        _write(docs / "validations" / page_name(suite.name, number), content)
    for number, part in enumerate(_parts(suite.expectations), 1):
        own = copy(suite)
        own.expectations = part
        content = view.render(ExpectationSuitePageRenderer().render(own), show_how_to_buttons=False)
        _write(docs / "expectations" / page_name(suite.name, number), content)


def page_name(suite: str, number: int) -> str:
    """The file name of a suite's page, counted from 1."""
    return f"{suite}.html" if number == 1 else f"{suite}-{number}.html"


def light(page: str) -> str:
    """A page of Great Expectations without network requests, times and random names."""
    page = FROM_NETWORKS.sub("", RUN_TIME.sub("", page)).replace("</head>", f"<style>\n{STYLE}</style></head>", 1)
    numbers: dict[str, str] = {}
    page = RANDOM_NAME.sub(lambda name: numbers.setdefault(name[0], str(1 + len(numbers))), page)
    return INDENTATION.sub("\n", page)


def write_index(docs: Path, findings: Mapping[str, Sequence[Outcome]]) -> None:
    """The index page: one row for each suite, in plain HTML, with links to its pages."""
    rows = "\n".join(_row(docs, name, suite) for name, suite in findings.items())
    holds = all(outcome.success for suite in findings.values() for outcome in suite)
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "index.html").write_text(PAGE.format(style=STYLE, verdict=_verdict(holds), rows=rows), encoding="utf-8")


def _write(path: Path, page: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(light(page), encoding="utf-8")


def _parts(whole: Sequence[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(whole), PAGE_RESULTS):
        yield list(whole[start : start + PAGE_RESULTS])


def _row(docs: Path, name: str, suite: Sequence[Outcome]) -> str:
    held = sum(outcome.success for outcome in suite)
    links = " ".join(
        f'<a href="{escape(f"{folder}/{page_name(name, number)}")}">{title}{f" {number}" if number > 1 else ""}</a>'
        for folder, title in (("validations", "results"), ("expectations", "suite"))
        for number in range(1, 2 + len(suite) // PAGE_RESULTS)
        if (docs / folder / page_name(name, number)).exists()
    )
    verdict = _verdict(held == len(suite))
    return (
        f'<tr><td>{escape(name)}</td><td class="{verdict}">{verdict}</td><td>{held} of {len(suite)}</td>'
        f"<td>{links}</td></tr>"
    )


def _verdict(holds: bool) -> str:
    return "passed" if holds else "failed"
