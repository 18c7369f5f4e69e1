"""The first page of the data docs: every suite and how it fared, readable without a network.

Great Expectations' own index fills its table by scripts from content networks, and its pages show a picture that
a counting server would deliver; here the table is plain HTML and the picture comes from the pages' own folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Protocol

COUNTED_PICTURE = re.compile(r"https://great-expectations-web-assets\.[^\"')]*?/([\w-]+\.png)[^\"')]*")

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Data validation</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 3rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; width: 100%; }}
th, td {{ text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #ccc; }}
.failed {{ color: #b00020; font-weight: 600; }}
</style></head><body>
<h1>Data validation: {verdict}</h1>
<table><tr><th>suite</th><th>verdict</th><th>expectations that hold</th><th></th></tr>
{rows}
</table></body></html>
"""


class Outcome(Protocol):
    """What a page shows of an expectation."""

    @property
    def success(self) -> bool: ...


def finish_pages(docs: Path, findings: Mapping[str, Sequence[Outcome]]) -> None:
    """Make the pages Great Expectations wrote self-contained, and write index.html over its own."""
    for page in docs.rglob("*.html"):
        root = "../" * (len(page.relative_to(docs).parts) - 1)
        content = page.read_text(encoding="utf-8")
        page.write_text(COUNTED_PICTURE.sub(rf"{root}static/images/\1", content), encoding="utf-8")
    rows = "\n".join(_row(docs, name, suite) for name, suite in findings.items())
    holds = all(outcome.success for suite in findings.values() for outcome in suite)
    (docs / "index.html").write_text(PAGE.format(verdict=_verdict(holds), rows=rows), encoding="utf-8")


def _row(docs: Path, name: str, suite: Sequence[Outcome]) -> str:
    held = sum(outcome.success for outcome in suite)
    links = [
        f'<a href="{escape(page.relative_to(docs).as_posix())}">{title}</a>'
        for folder, title in (("validations", "results"), ("expectations", "suite"))
        for page in sorted(docs.glob(f"{folder}/{name}.html")) + sorted(docs.glob(f"{folder}/{name}/**/*.html"))
    ]
    verdict = _verdict(held == len(suite))
    return (
        f'<tr><td>{escape(name)}</td><td class="{verdict}">{verdict}</td>'
        f"<td>{held} of {len(suite)}</td><td>{' '.join(links)}</td></tr>"
    )


def _verdict(holds: bool) -> str:
    return "passed" if holds else "failed"
