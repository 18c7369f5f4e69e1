"""Source code is known where it is marked, and by its syntax where it is not; prose is never taken for it."""

from __future__ import annotations

import gzip
import inspect
import json
from pathlib import Path

import pytest

from components.corpus import language, source_code
from components.corpus.source_code import holds_code, looks_like_code, parts

PYTHON = "def unescape(text):\n    return text.replace('&amp;', '&')\n"
SAMPLE = Path(__file__).parents[2] / "data" / "corpus"


@pytest.mark.parametrize(
    "code",
    [
        PYTHON,
        's = s.replace("&amp;", "&")',
        '#include <stdio.h>\n\nint main(void) {\n    printf("a &lt; b\\n");\n    return 0;\n}\n',
        "const x = 1.00000001;\nlet y = x + 2;\nconsole.log(x, y);\n",
        "SELECT name, phone\nFROM people\nWHERE id = 3;\n",
        '{\n  "name": "left-pad",\n  "version": "1.3.0"\n}\n',
        'package main\n\nimport "fmt"\n\nfunc main() {\n\tfmt.Println("hi")\n}\n',
        '#!/bin/sh\nset -e\nif [ -f x ]; then\n  echo "$1"\nfi\nexit 0;\n',
        inspect.getsource(language),
        inspect.getsource(source_code),
    ],
)
def test_code_is_known_by_its_syntax(code: str) -> None:
    assert looks_like_code(code)
    assert list(parts(code)) == [(code, True)]


@pytest.mark.parametrize(
    "prose",
    [
        "",
        "The captain looked at the ships.",
        "If you want it, call me at (212) 555-0187; I am in.",
        "Name: Jane Doe\nPhone: (212) 555-0187\nE-mail: jane@lianzi.org\n",
        "He bought: apples; pears; plums.\nShe sold them;\nthey ate (most of) them;\nand slept.",
        "白日依山盡，黃河入海流；\n欲窮千里目，更上一層樓。",
        "1. First, import the goods.\n2. Then return home.\n3. Class dismissed.",
        "id,name,phone\n1,Jane,(212) 555-0187\n2,Joe,(212) 555-0188\n",
        "E = mc2 is known to all.",
        "Fish &amp; chips",
    ],
)
def test_prose_is_not_taken_for_code(prose: str) -> None:
    assert not looks_like_code(prose)
    assert not holds_code(prose)


@pytest.mark.parametrize("source", ["state_of_the_union_en", "moby_dick_en", "wiki_leads_en", "classical_poetry_zh"])
def test_no_text_of_the_sample_corpus_is_taken_for_code(source: str) -> None:
    if not (SAMPLE / f"{source}.jsonl.gz").is_file():
        pytest.skip("the sample data is not here: dvc pull data")
    with gzip.open(SAMPLE / f"{source}.jsonl.gz", "rt", encoding="utf-8") as lines:
        assert not [row["id"] for row in map(json.loads, lines) if looks_like_code(row["text"])]


def test_fenced_blocks_and_code_spans_of_markdown_are_code() -> None:
    text = f"Use `&amp;` here:\n\n```python\n{PYTHON}```\n\nand fish &amp; chips.\n\n~~~ html\n&lt;\n~~~\n"
    assert "".join(part for part, _ in parts(text)) == text
    assert [part for part, code in parts(text) if code] == ["`&amp;`", f"```python\n{PYTHON}```", "~~~ html\n&lt;\n~~~"]


def test_a_block_of_no_language_and_one_left_open_count_where_they_look_like_code() -> None:
    assert not holds_code("A letter:\n\n```\nCall me at (212) 555-0187.\n```\n")
    assert not holds_code("A letter:\n\n```text\nCall me at (212) 555-0187.\n```\n")
    assert holds_code(f"Code:\n\n```\n{PYTHON}```\n")
    assert holds_code(f"The text is cut off here, after some words of prose.\n\n```python\n{PYTHON}")
    assert not holds_code("A letter begins here, and goes on for long.\n\n```python\nCall me at (212) 555-0187.\n")
