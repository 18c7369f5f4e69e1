"""docs/transformer.md shows the lines of the module as they are, beside the formulas."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCE = (ROOT / "components/modeling/transformer.py").read_text(encoding="utf-8")
PAGES = ["docs/transformer.md", "docs/transformer.zh.md"]
_LINK = r"\[`(\w+)`[^\]]*? (\d+) \D+(\d+)[^\]]*\]\(\.\./components/modeling/transformer\.py#L(\d+)-L(\d+)\)"
SHOWN = re.compile(_LINK + r"\n\n```python\n(.*?)\n```", re.S)


def definitions() -> dict[str, tuple[int, int]]:
    """Name -> its first and last line, decorators included."""
    nodes = [node for node in ast.parse(SOURCE).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    decorated = {node.name: [one.lineno for one in node.decorator_list] for node in nodes}
    return {node.name: (min([node.lineno, *decorated[node.name]]), node.end_lineno or 0) for node in nodes}


@pytest.mark.parametrize("page", PAGES)
def test_every_definition_is_shown_with_its_own_lines(page: str) -> None:
    found, lines = {}, SOURCE.splitlines()
    for name, first, last, begin, end, code in SHOWN.findall((ROOT / page).read_text(encoding="utf-8")):
        assert (first, last) == (begin, end), name
        assert code.splitlines() == lines[int(begin) - 1 : int(end)], name
        found[name] = (int(begin), int(end))
    assert found == definitions()


def test_both_languages_have_the_same_formulas_in_the_same_order() -> None:
    english, chinese = (
        re.findall(r"```math\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S) for page in PAGES
    )
    assert english == chinese
    assert [int(number) for formula in english for number in re.findall(r"\((\d+)\)\s*$", formula)] == [*range(1, 16)]


def test_the_module_has_at_most_200_lines() -> None:
    assert len(SOURCE.splitlines()) <= 200
