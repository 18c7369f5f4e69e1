"""README.md and README.zh.md: two languages, one content."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def texts(root: Path) -> tuple[str, str]:
    return (root / "README.md").read_text(encoding="utf-8"), (root / "README.zh.md").read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """The lines of the code blocks, without their comments."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [re.split(r"\s{2,}#|\s{3,}|\s#", line)[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


def links(text: str) -> list[str]:
    return sorted(target for target in re.findall(r"\]\(([^)]+)\)", text) if not target.startswith("README"))


def test_both_languages_give_the_same_commands(texts: tuple[str, str]) -> None:
    assert commands(texts[0])
    assert commands(texts[0]) == commands(texts[1])


def test_both_languages_link_to_the_same_pages_and_these_exist(texts: tuple[str, str], root: Path) -> None:
    assert links(texts[0]) == links(texts[1])
    assert [target for target in links(texts[0]) if not (root / target).exists()] == []


def test_both_languages_have_the_same_sections_and_rows_of_tables(texts: tuple[str, str]) -> None:
    for pattern in (r"^## ", r"^\|"):
        counts = [len(re.findall(pattern, text, re.MULTILINE)) for text in texts]
        assert counts[0] == counts[1]
