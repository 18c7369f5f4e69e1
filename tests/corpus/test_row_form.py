"""What is read of a record follows from what stands in the column of the kind's target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.corpus.record import Record
from components.corpus.row_form import form_of
from components.errors import DataError
from components.tasks.config import TaggingConfig, TaskConfig, TextsConfig

FILE = Path("train.jsonl")


def read(kind: str, fields: dict[str, Any]) -> Any:
    found = form_of(TaskConfig(kind=kind, language="en", max_length=16)).read(Record(FILE, 4, fields))
    assert found is not None
    texts, target_of = found
    return *texts, target_of(*texts)


@pytest.mark.parametrize(
    ("kind", "fields", "row"),
    [
        ("classification", {"text": "red", "label": 1.0}, ("red", "1")),
        ("regression", {"text": "red", "label": "1.5"}, ("red", 1.5)),
        ("multi_label", {"text": "red", "labels": ["warm", "b", "warm", 1]}, ("red", ["1", "b", "warm"])),
        ("multi_label", {"text": "red", "labels": "warm; old, dark"}, ("red", ["old, dark", "warm"])),
        ("multi_label", {"text": "red", "labels": "warm,dark"}, ("red", ["dark", "warm"])),
        ("multi_label", {"text": "red", "labels": ""}, ("red", [])),
        (
            "relation_extraction",
            {"text": "a of b", "head": [0, 1], "tail": [5, 6], "label": "of"},
            ("[E1] a [/E1] of [E2] b [/E2]", "of"),
        ),
        ("translation", {"text": "red", "target": " rot\u00a0 "}, ("red", "rot")),
        ("token_classification", {"tokens": ["a", "b"], "tags": ["O", "S-X"]}, ("a b", ["O", "B-X"])),
    ],
)
def test_a_row_is_a_text_and_its_target(kind: str, fields: dict[str, Any], row: tuple[str, object]) -> None:
    assert read(kind, fields) == row


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("classification", "label"),
        ("regression", "label"),
        ("token_classification", "tokens"),
        ("translation", "target"),
    ],
)
def test_a_column_that_a_file_lacks_is_named_with_its_place(kind: str, missing: str) -> None:
    with pytest.raises(DataError, match=f"train.jsonl:4: no '{missing}'") as refusal:
        read(kind, {"text": "red", "colour": "red"})
    assert "found here: 'text', 'colour'" in str(refusal.value)


@pytest.mark.parametrize(
    ("labels", "why"), [(3, "'labels' is a number, not a list"), (["a", ""], "'' in 'labels' is no label")]
)
def test_labels_that_are_none_are_refused_with_their_place(labels: object, why: str) -> None:
    with pytest.raises(DataError, match=f"train.jsonl:4: {why}"):
        read("multi_label", {"text": "red", "labels": labels})


@pytest.mark.parametrize("label", ["ß", "9" * 5000, "2", "C", "-1", "1.5", None, [0]])
def test_a_choice_there_is_not_is_refused_with_its_place(label: object) -> None:
    with pytest.raises(DataError, match=r"train\.jsonl:4: label .* is none of the 2 choices"):
        read("multiple_choice", {"text": "red", "choices": ["a", "b"], "label": label})


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("multi_label", {"text": "red", "labels": ["dark", "warm"]}),
        ("multiple_choice", {"text": "red", "choices": ["a", "b"], "label": 1}),
        ("relation_extraction", {"text": "a of b", "head": [0, 1], "tail": [5, 6], "label": "of"}),
        ("generation", {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}),
    ],
)
def test_in_csv_a_list_is_written_in_json(kind: str, fields: dict[str, Any]) -> None:
    cells = {name: json.dumps(value) if isinstance(value, list) else value for name, value in fields.items()}
    assert read(kind, cells) == read(kind, fields)


@pytest.mark.parametrize("cell", ["[", "[" * 100_000, "['a', 'b']", '{"a": 1}'])
def test_a_cell_that_is_no_list_is_refused_with_its_place(cell: str) -> None:
    with pytest.raises(DataError, match=r"train\.jsonl:4: 'choices' is no list of texts"):
        read("multiple_choice", {"text": "red", "choices": cell, "label": 1})


def test_a_number_that_no_model_answers_is_refused_with_its_place() -> None:
    assert read("regression", {"text": "red", "label": -1e30}) == ("red", -1e30)
    with pytest.raises(DataError, match=r"train\.jsonl:4: 'label' is -1e\+308, more than a model can answer"):
        read("regression", {"text": "red", "label": -1e308})


@pytest.mark.parametrize(("kind", "column"), [("classification", "label"), ("multi_label", "labels")])
def test_a_text_where_a_label_should_be_is_refused(kind: str, column: str) -> None:
    with pytest.raises(DataError, match=rf"train\.jsonl:4: '{column}' has a label of 1,000,000 characters") as refusal:
        read(kind, {"text": "red", column: "x" * 1_000_000})
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize(
    ("spans", "why"),
    [
        ({"head": [0, 1], "tail": [2, 9]}, r"tail \[2, 9\] is no span of a text of 3 characters"),
        ({"head": [0, 1]}, r"'tail' is None, not \[begin, end\]"),
        ({"head": [0, 1], "tail": "2:3"}, r"'tail' is '2:3', not \[begin, end\]"),
        ({}, r"the text has \[E1\] 0 times"),
    ],
)
def test_spans_that_are_none_are_refused_with_their_place(spans: dict[str, object], why: str) -> None:
    with pytest.raises(DataError, match=f"train.jsonl:4: {why}") as refusal:
        read("relation_extraction", {"text": "red", "label": "of", **spans})
    assert "write head and tail as [begin, end]" in str(refusal.value)


def test_tags_of_other_kinds_than_entities_are_each_of_their_word() -> None:
    config = TaskConfig.model_validate(
        {"kind": "token_classification", "language": "en", "max_length": 16, "metric": "token_accuracy"}
    )
    record = Record(FILE, 4, {"tokens": ["I", "can't", "go"], "tags": ["PRON", "AUX", "VERB"]})
    found = form_of(config).read(record)
    assert found is not None
    # The token of three words gives all of them its tag.
    assert found[1](*found[0]) == ["PRON", "AUX", "AUX", "AUX", "VERB"]
    with pytest.raises(DataError, match=r"train\.jsonl:4: token 1: tag 'PRON' is not O") as refusal:
        read("token_classification", record.fields)
    assert "metric: token_accuracy" in str(refusal.value)


def test_an_empty_target_is_refused_with_its_place() -> None:
    with pytest.raises(DataError, match=r"train.jsonl:4: the target is empty"):
        read("summarization", {"text": "red", "target": " \n"})


def test_the_column_of_tags_may_have_another_name() -> None:
    config = TaskConfig.model_validate(
        {"kind": "token_classification", "language": "en", "max_length": 16, "column": "chunk_tags"}
    )
    assert isinstance(config, TaggingConfig)
    form = form_of(config)
    assert "chunk_tags" in form.columns
    found = form.read(Record(FILE, 4, {"tokens": ["a"], "tags": ["O"], "chunk_tags": ["B-NP"]}))
    assert found is not None
    assert found[1]("a") == ["B-NP"]


def test_a_row_of_two_texts_has_a_column_for_each() -> None:
    pair = form_of(TextsConfig(kind="classification", language="en", max_length=16, pair=True))
    assert pair.columns == ("id", "text", "text_pair", "label")
    found = pair.read(Record(FILE, 4, {"text": "red", "text_pair": "a colour", "label": "yes"}))
    assert found is not None
    assert (found[0], found[1](*found[0])) == (("red", "a colour"), "yes")
    with pytest.raises(DataError, match=r"train\.jsonl:4: no 'text_pair'"):
        pair.read(Record(FILE, 4, {"text": "red", "label": "yes"}))


TURNS = [{"role": "user", "content": "red?"}, {"role": "assistant", "content": "blue"}]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"text": "red"}, "red"),
        ({"prompt": "red", "completion": " blue"}, "red␟ blue"),
        ({"messages": TURNS, "text": None}, "␞u␟red?␞a␟blue"),
        ({"prompt": "red", "chosen": " blue ", "rejected": " sea"}, "red␟ blue␦ sea"),
        ({"prompt": TURNS[:1], "chosen": "blue", "rejected": [TURNS[1] | {"content": "sea"}]}, "␞u␟red?␞a␟blue␦sea"),
    ],
)
def test_what_is_written_may_be_a_text_a_prompt_or_a_conversation(fields: dict[str, Any], text: str) -> None:
    assert read("generation", fields)[0] == text


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"prompt": "red"}, "no 'completion'"),
        ({"prompt": "red", "completion": " "}, "a prompt without an answer"),
        ({"prompt": "red", "chosen": " a"}, "'chosen' without 'rejected'"),
        ({"prompt": "red", "chosen": " a", "rejected": " "}, "'rejected' is empty"),
        ({"prompt": "red", "chosen": " a", "rejected": "a "}, "'chosen' and 'rejected' are equal"),
        ({"chosen": "a", "rejected": "b"}, "no 'prompt'"),
        ({"prompt": "r␦d", "chosen": "a", "rejected": "b"}, "'prompt' has the sign ␦"),
        ({"prompt": "red", "chosen": [TURNS[0]], "rejected": "b"}, "'chosen' is not one message of the assistant"),
        ({"prompt": "red", "completion": "\x01"}, "a prompt without an answer"),
        ({"messages": TURNS[:1]}, "a conversation without an answer: its last message is the user's"),
        ({"messages": [{"role": "bot", "content": "red"}]}, "message 1: unknown role 'bot'"),
        ({"messages": [*TURNS, {"role": "assistant", "content": 3}]}, "message 3: its content is a number, not text"),
        ({"messages": ["red"]}, "message 1: expected an object with role and content"),
        ({"messages": {}}, "'messages' is an object, not a list"),
        ({"prompt": "red␟", "completion": "blue"}, "'prompt' has the sign ␟"),
        ({"colour": "red"}, "no 'text'"),
    ],
)
def test_a_row_with_nothing_to_learn_is_refused_with_its_place(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError) as refusal:
        read("generation", fields)
    assert str(refusal.value).startswith(f"train.jsonl:4: {told}")
    assert len(str(refusal.value).splitlines()) <= 2
