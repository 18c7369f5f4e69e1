"""What is told of a source: its address without secrets, its name, where a row stood in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.corpus.record import Record
from components.importing.source import Source, source_name, without_secrets


@pytest.mark.parametrize(
    ("address", "clean"),
    [
        ("https://ada:secret@example.org/a.jsonl", "https://example.org/a.jsonl"),
        ("https://example.org/a?page=2&api_key=abc&X-Amz-Signature=f#top", "https://example.org/a?page=2"),
        ("https://example.org/a?x=0123456789abcdef0123456789abcdef", "https://example.org/a"),
        ("simplecache::s3://key:secret@bucket/a.csv", "simplecache::s3://bucket/a.csv"),
        ("postgresql+psycopg://ada:p@ss@host:5432/texts", "postgresql+psycopg://host:5432/texts"),
        ("sqlite:////folder/a.db", "sqlite:////folder/a.db"),
        ("memory://texts/a", "memory://texts/a"),
        ("texts/a#1?.jsonl", "texts/a#1?.jsonl"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, clean: str) -> None:
    assert without_secrets(address) == clean


@pytest.mark.parametrize(("text", "name"), [("a b.c", "a_b_c"), ("詩 集", "詩_集"), ("../", "imported")])
def test_a_name_is_made_of_letters_digits_and_lines(text: str, name: str) -> None:
    assert source_name(text) == name


def test_provenance_names_the_part_of_a_source_that_has_parts() -> None:
    record = Record(Path("sub/a.md"), 1, {})
    assert (
        Source("files", "s3://b/texts/", "texts", iter(()), parts=True).provenance(record) == "s3://b/texts/sub/a.md:1"
    )
    assert Source("file", "s3://b/a.md", "a", iter(())).provenance(record) == "s3://b/a.md:1"


def test_a_long_name_of_a_file_is_cut() -> None:
    assert source_name("海" * 80) == "海" * 42
