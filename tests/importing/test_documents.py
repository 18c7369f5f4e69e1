"""Rows become documents; a row that does not fit is named with the columns there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.corpus.lines import MAX_LINE_BYTES
from components.errors import DataError
from components.importing.documents import Documents, columns_used
from components.importing.source import Source


def source(*rows: dict[str, Any]) -> Source:
    from components.corpus.record import Record

    return Source("file", "rows.csv", "rows", (Record(Path("rows.csv"), n, row) for n, row in enumerate(rows, 1)))


def test_a_document_has_text_id_language_licence_and_provenance() -> None:
    rows = source({"text": "one", "language": "fr", "license": "MIT", "title": "T"}, {"text": "two", "id": 9})
    assert list(Documents(rows, language="en", licence="CC0-1.0")) == [
        {"id": "line-1", "text": "one", "provenance": "rows.csv:1", "title": "T", "language": "fr", "licence": "MIT"},
        {"id": "9", "text": "two", "provenance": "rows.csv:2", "language": "en", "licence": "CC0-1.0"},
    ]


def test_columns_may_be_called_otherwise() -> None:
    [document] = Documents(source({"body": "one", "key": "k"}), text_column="body", id_column="key")
    assert (document["id"], document["text"]) == ("k", "one")


def test_the_columns_looked_at_begin_with_that_of_the_text() -> None:
    assert columns_used("body", "key")[0] == "body"
    assert {"key", "language", "license", "title"} <= {*columns_used("body", "key")}


def test_an_id_that_no_file_can_hold_or_that_is_none_is_written_another_way() -> None:
    documents = Documents(
        source({"text": "one", "key": "\ud83d"}, {"text": "two", "key": float("nan")}), id_column="key"
    )
    assert [document["id"] for document in documents] == [r"\ud83d", "line-2"]


def test_empty_and_endless_texts_are_counted_not_kept() -> None:
    documents = Documents(source({"text": " \n"}, {"text": None}, {"text": "x" * MAX_LINE_BYTES}, {"text": "y"}))
    assert [document["text"] for document in documents] == ["y"]
    assert documents.skipped == {"empty": 2, "too long": 1}


@pytest.mark.parametrize(
    ("row", "options", "told"),
    [
        ({"body": "x", "n": 1}, {}, "rows.csv:1: no column 'text'\nits columns: body, n; choose with --text-column"),
        (
            {"text": "x"},
            {"id_column": "key"},
            "rows.csv:1: no column 'key'\nits columns: text; choose with --id-column",
        ),
        ({"text": ["x"]}, {}, "rows.csv:1: 'text' is a list, not text"),
    ],
)
def test_a_row_that_does_not_fit_is_named(row: dict[str, Any], options: dict[str, str], told: str) -> None:
    with pytest.raises(DataError) as refusal:
        list(Documents(source(row), **options))  # type: ignore[arg-type]
    assert told in str(refusal.value)


ENGLISH = "nobody in the house could say who had put the kettle there"
CHINESE = "老人每天早上都到河边散步，看看船只和来往的行人。"
GERMAN = "Der alte Fischer ging jeden Morgen zum Hafen und erzählte von den Stürmen."


@pytest.mark.parametrize(
    ("rows", "language"),
    [
        ([{"text": ENGLISH}], "en"),
        ([{"text": CHINESE}], "zh"),
        ([{"text": GERMAN}], "de"),
        ([{"text": ENGLISH}] * 60 + [{"text": CHINESE}] * 40, ["en", "zh"]),
        ([{"text": ENGLISH}] * 1000 + [{"text": CHINESE}] * 1000, ["en", "zh"]),
        ([{"text": ENGLISH}] * 99 + [{"text": CHINESE}], "en"),
        ([{"text": ENGLISH, "language": "eng_Latn"}, {"text": CHINESE, "language": "cmn_Hani"}], ["en", "zh"]),
        ([{"text": ENGLISH, "language": "English"}, {"text": CHINESE}], ["en", "zh"]),
        ([{"text": ENGLISH}, {"text": GERMAN}], "en"),
        ([{"text": "x = 1", "language": "Python"}, {"text": "y", "language": "python"}], "python"),
        ([{"text": "x = 1", "language": "python"}, {"text": ENGLISH}, {"text": "y", "language": "python"}], "en"),
        ([], "en"),
    ],
)
def test_a_source_is_in_the_languages_that_its_rows_say_or_are_in(
    rows: list[dict[str, Any]], language: str | list[str]
) -> None:
    documents = Documents(source(*rows))
    list(documents)
    assert documents.source_language() == language


@pytest.mark.parametrize(
    ("given", "row", "entry"),
    [("zho", "zh", "zh"), ("en,zh", None, ["en", "zh"]), ("mixed", None, "mixed"), ("und", None, "mixed")],
)
def test_a_language_that_is_given_fills_gaps_where_it_is_one(given: str, row: str | None, entry: str) -> None:
    documents = Documents(source({"text": ENGLISH}), language=given)
    assert [document.get("language") for document in documents] == [row]
    assert documents.source_language() == entry
