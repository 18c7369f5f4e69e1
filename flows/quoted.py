"""A stage's message without what it quotes of the data: a row may hold anything, an address or the word "timeout"."""

from __future__ import annotations

import re

VALIDATION_PAGE = "reports/validation/index.html"
_QUOTED = re.compile(r"“[^”]*(”|$)|\"[^\"]*(\"|$)|(?<!\w)'([^']|'(?=\w))*('|$)", re.DOTALL)
_FINDING = re.compile(r"\bexpected: .*")


def without_data(message: str) -> str:
    """The message with … for each quotation; of a broken expectation, which shows ids and values, the page."""
    told = _FINDING.sub(f"the data breaks an expectation: see {VALIDATION_PAGE}", message)
    return _QUOTED.sub("…", told)
