"""docs/checks.md: what each of the three uses promises, with the test that holds it."""

from __future__ import annotations

import re
from pathlib import Path

ROW = re.compile(r"\| \d+ \| (?P<claim>[^|]+) \| \[`(?P<test>test_\w+)`\]\(\.\./(?P<file>tests/[\w/]+\.py)\) \|")
USES = ("Scheduled", "Compared", "Reproduced")
LEAST = 20


def sections(root: Path) -> dict[str, list[re.Match[str]]]:
    """Heading -> its rows."""
    _, *parts = (root / "docs" / "checks.md").read_text(encoding="utf-8").split("\n## ")
    return {part.partition("\n")[0]: list(ROW.finditer(part)) for part in parts}


def test_each_use_has_twenty_checks(root: Path) -> None:
    found = sections(root)
    assert tuple(found) == USES
    assert {name: len(rows) >= LEAST for name, rows in found.items()} == dict.fromkeys(USES, True)


def test_every_check_names_a_test_that_is_there_and_no_two_the_same(root: Path) -> None:
    rows = [row for found in sections(root).values() for row in found]
    missing = [row["test"] for row in rows if f"def {row['test']}(" not in (root / row["file"]).read_text("utf-8")]
    assert missing == []
    assert len({row["test"] for row in rows}) == len(rows)
    assert len({row["claim"] for row in rows}) == len(rows)


def test_every_row_of_the_tables_is_a_check(root: Path) -> None:
    lines = (root / "docs" / "checks.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if re.match(r"\| \d", line) and not ROW.fullmatch(line)] == []
