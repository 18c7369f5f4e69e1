"""Tokens and tags, read from columns and from lists, become texts whose words have tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.corpus.record import Record
from components.corpus.tagged import Tagged, tagged_reader
from components.errors import DataError


def of_lists(fields: dict[str, Any], column: str | None = None, language: str = "en") -> Tagged | None:
    return tagged_reader(language, column)(Record(Path("a.jsonl"), 7, fields))


def of_lines(lines: str, column: int | None = None, language: str = "en") -> Tagged | None:
    return tagged_reader(language, column)(Record(Path("a.conll"), 7, {"text": lines}))


def test_lists_and_columns_say_the_same() -> None:
    expected = Tagged(("EU", "U.S."), ("B-ORG", "B-LOC"), " ")
    assert of_lists({"tokens": ["EU", "U.S."], "tags": ["B-ORG", "B-LOC"]}) == expected
    assert of_lists({"tokens": ["EU", "U.S."], "ner_tags": ["B-ORG", "B-LOC"]}) == expected
    assert of_lists({"tokens": ["EU", "U.S."], "tags": ["O", "O"], "x": ["B-ORG", "B-LOC"]}, "x") == expected
    assert of_lines("EU NNP B-ORG\nU.S. NNP B-LOC\n") == of_lines("EU\tB-ORG\tx\nU.S.\tB-LOC\ty\n", 2) == expected
    assert of_lines("-DOCSTART- -X- O O\n") is None
    assert expected.tags_of(expected.text) == ["B-ORG", "B-LOC", "I-LOC", "I-LOC", "I-LOC"]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("Ada Lovelace of <EMAIL>", "B-PER I-PER O B-X I-X I-X"),
        ("Ada of x@y", "B-PER O B-X I-X I-X"),
        ("of x@y", "O B-X I-X I-X"),
        ("The Ada Lovelace of x@y", "O B-PER I-PER O B-X I-X I-X"),
    ],
)
def test_entities_go_with_their_words_where_a_text_has_changed(text: str, tags: str) -> None:
    before = Tagged(("Ada", "Lovelace", "of", "x@y"), ("B-PER", "I-PER", "O", "B-X"), " ")
    assert before.tags_of(text) == tags.split()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "a.jsonl:7: 2 tokens and 1 tags"),
        ({"tokens": [], "tags": []}, "a.jsonl:7: the list of tokens is empty"),
        ({"tokens": ["a"], "tags": ["LOC"]}, r"a.jsonl:7: token 1: tag 'LOC' is not O, B-TYPE.* \(BIO or IOBES\)"),
        ({"tokens": ["a"], "ner_tags": [3]}, "a.jsonl:7: 'ner_tags' has a number in it"),
        ({"tokens": "a b", "tags": ["O"]}, "a.jsonl:7: 'tokens' is text"),
        ({"tokens": ["a b"], "tags": ["O"]}, "a.jsonl:7: token 1 is 'a b'"),
        ({"tokens": ["a", ""], "tags": ["O", "O"]}, "a.jsonl:7: token 2 is ''"),
        ({"tokens": ["a"]}, "a.jsonl:7: no 'tags'"),
        ({"text": "a", "tags": ["O"]}, "a.jsonl:7: no 'tokens'"),
    ],
)
def test_lists_that_are_no_tagged_sentence_are_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        of_lists(fields)


@pytest.mark.parametrize(
    ("lines", "column", "reason"),
    [
        ("EU\n", None, "a.conll:7: no tag beside 'EU'"),
        ("EU x O\nof O\n", None, "a.conll:8: 2 columns, and 3 in the lines before"),
        ("EU O\nof LOC\n", None, "a.conll:8: tag 'LOC' is not O, B-TYPE"),
        ("EU O\n", 4, "a.conll:7: no column 4 among 2"),
        ("EU O\n", 1, "a.conll:7: no column 1 among 2"),
    ],
)
def test_lines_with_broken_columns_are_refused_by_file_and_line(lines: str, column: int | None, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        of_lines(lines, column)


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ("O B-PER I-LOC", "a.jsonl:7: token 3: tag 'I-LOC' behind 'B-PER': an entity has one type"),
        ("B-PER I-PER I-LOC", "token 3: tag 'I-LOC' behind 'I-PER'.*\n.*begin another entity: B-LOC"),
        ("B-PER E-LOC O", "token 2: tag 'E-LOC' behind 'B-PER'"),
    ],
)
def test_an_entity_whose_type_changes_is_refused(tags: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        of_lists({"tokens": ["a", "b", "c"], "tags": tags.split()})


@pytest.mark.parametrize("tags", ["I-PER I-LOC O", "I-PER B-PER I-LOC", "S-PER B-LOC E-LOC", "O I-LOC B-PER"])
def test_other_ways_to_begin_an_entity_are_read(tags: str) -> None:
    assert of_lists({"tokens": ["a", "b", "c"], "tags": tags.split()}) is not None


def test_sentences_of_a_file_have_as_many_columns_as_its_first() -> None:
    read = tagged_reader("en")
    assert read(Record(Path("a.conll"), 1, {"text": "Ada NNP B-PER\n"})) is not None
    with pytest.raises(DataError, match=r"a\.conll:3: 2 columns, and 3 in the lines before"):
        read(Record(Path("a.conll"), 3, {"text": "Bob NNP\n"}))
    assert read(Record(Path("b.conll"), 1, {"text": "Ada B-PER\n"})) is not None


def test_a_column_of_a_name_is_not_looked_for_in_lines() -> None:
    with pytest.raises(DataError, match="no column 'ner_tags' in lines of columns"):
        tagged_reader("en", "ner_tags")(Record(Path("a.conll"), 7, {"text": "EU O"}))
