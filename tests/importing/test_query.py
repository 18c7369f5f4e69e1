"""A query's answer becomes records, from a real database that stays as it is."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from components.errors import DataError
from components.importing.query import is_database, open_query


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "posts.db"
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE posts (id INTEGER, body TEXT, at TEXT)")
        connection.executemany(
            "INSERT INTO posts VALUES (?, ?, ?)", [(n, f"post {n} 貓", f"12:{n % 60}") for n in range(2500)]
        )
    connection.close()
    return f"sqlite:///{path}"


def refusal(address: str, query: str) -> str:
    with pytest.raises(DataError) as caught:
        list(open_query(address, query).records)
    return str(caught.value)


def test_each_row_of_the_answer_is_a_record(database: str) -> None:
    query = "SELECT id, body AS text FROM posts WHERE at >= '12:0' AND body LIKE '%post%' ORDER BY id DESC"
    source = open_query(database, query)
    records = list(source.records)
    assert len(records) == 2500
    assert (records[0].name, records[0].text(), records[0].line) == ("2499", "post 2499 貓", 1)
    assert (source.name, source.about) == ("posts", {"query": query})


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT body FROM post", "no such table: post\nthe query: SELECT body FROM post"),
        ("SELEC 1", "syntax error"),
        ("DELETE FROM posts", "readonly database"),
        ("DROP TABLE posts", "readonly database"),
        ("BEGIN", ""),
    ],
)
def test_a_query_that_fails_or_writes_is_told(database: str, query: str, told: str) -> None:
    assert told in refusal(database, query)
    assert len(list(open_query(database, "SELECT body FROM posts").records)) == 2500


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert "gone.db: no such file" in refusal(f"sqlite:///{tmp_path}/gone.db", "SELECT 1")
    assert not list(tmp_path.iterdir())


def test_a_missing_driver_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    told = refusal("postgresql+psycopg2://ada:secret@localhost/texts", "SELECT 1")
    assert told.startswith("postgresql+psycopg2://localhost/texts: needs a driver")
    assert "secret" not in told


@pytest.mark.parametrize(
    ("address", "yes"),
    [
        ("sqlite:///a.db", True),
        ("postgresql+psycopg://h/d", True),
        ("s3://b/a", False),
        ("https://h/a", False),
        ("a", False),
    ],
)
def test_a_database_is_known_by_its_scheme(address: str, yes: bool) -> None:
    assert is_database(address) == yes
