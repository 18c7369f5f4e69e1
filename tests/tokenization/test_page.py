"""The page holds what the report found, escaped, and loads nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from components.tokenization.page import write_page
from components.tokenization.report import Findings

FOUND = Findings(
    size=8192,
    characters={"en": 300, "zh": 100},
    tokens={"en": 100, "zh": 80},
    unused=["<script>"] * 41,
    unreachable=[],
    longest=[" internationally\n"],
    round_trips=10,
    failures=[("poems/1", "'a<b' became 'a b'")],
    examples=[("zh", [("çĻ½", "白"), ("æ", "日"), ("Ĺ", "")])],
)


def page(folder: Path) -> str:
    write_page(folder / "pages" / "index.html", FOUND)
    return (folder / "pages" / "index.html").read_text(encoding="utf-8")


def test_numbers_and_examples_are_shown(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "<td>zh</td><td>100</td><td>80</td><td>1.250</td><td>0.800</td>" in text
    assert "Texts that do not come back: 1 of 10" in text
    assert '>白</span><span title="æ">日</span><span title="Ĺ">·</span>' in text
    assert "internationally⏎" in text
    assert "Unused: in no document of the sample: 41" in text
    assert "… and 1 more" in text


def test_tokens_are_escaped_and_nothing_is_loaded_from_elsewhere(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert "<script" not in text
    assert "a&lt;b" in text
    assert "http" not in text
    assert "src=" not in text
