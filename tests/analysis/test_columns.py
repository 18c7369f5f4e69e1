"""components.analysis.columns."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from components.analysis.columns import with_given_columns

ROWS = [{"id": "test/line-1", "text": "wave", "label": "sea"}, {"id": "test/b", "text": "street", "label": "city"}]
GIVEN = [
    {"text": "wave ", "label": "sea", "source": "diary", "year": 1900, "tags": ["x"]},
    {"id": "b", "text": "street", "label": "city", "source": "news"},
]


def test_a_row_has_the_columns_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, GIVEN)).encode()))
    sea, city = with_given_columns(ROWS, tmp_path)
    assert sea == {"id": "test/line-1", "text": "wave", "label": "sea", "source": "diary", "year": 1900}
    assert city["source"] == "news"


def test_a_csv_file_has_columns_too(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("text,label,source\nwave,sea,diary\n")
    line = [{"id": "test/line-2", "text": "wave", "label": "sea"}]
    assert with_given_columns(line, tmp_path) == [{**line[0], "source": "diary"}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("test.source", "wave\n"),
        ("test.jsonl", '{"id": "b", "source": 1}\n{"id": "b", "source": 2}\n'),
        ("test.jsonl", '{"id": "b", "source": 1}\nnot JSON\n'),
    ],
)
def test_a_row_that_no_single_record_is_of_keeps_what_it_has(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert with_given_columns(ROWS, tmp_path) == ROWS
