from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from components.modeling.checkpoints import load_tokenizer
from components.tasks.metrics import score
from components.tasks.task import NO_TARGET
from components.tasks.token_classification import (
    CUT,
    Entity,
    SpanF1,
    TokenAccuracy,
    TokenClassification,
    bio,
    entities_of,
    places_of,
    words_of,
)

TAGGER = TokenClassification.fit([["B-LOC", "O"], ["B-PER", "I-PER"]])
ROWS = [{"text": "Ada of Paris.", "tags": ["B-PER", "O", "B-LOC", "O"]}, {"text": "none", "tags": ["O"]}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Paris.", ["Paris", "."]),
        ("the U.S.-led", ["the", "U", ".", "S", ".", "-", "led"]),
        ("1996-08-22 3B naïve_x", ["1996", "-", "08", "-", "22", "3", "B", "naïve", "_", "x"]),
        ("在NBA打球，2019年", ["在", "NBA", "打", "球", "，", "2019", "年"]),
        (" \t\n", []),
    ],
)
def test_words_are_runs_of_letters_or_digits_and_single_other_characters(text: str, words: list[str]) -> None:
    assert [text[begin:end] for begin, end in words_of(text)] == words


def test_a_word_begins_in_the_first_token_that_has_one_of_its_characters() -> None:
    words = words_of("ab cd's x")
    # [CLS] ab _cd 's [SEP]: the token 's has two words, x is cut away.
    offsets = [(0, 0), (0, 2), (2, 5), (5, 7), (0, 0)]
    assert places_of(words, offsets) == [1, 2, 3, 3, CUT]


@pytest.mark.parametrize(
    ("tags", "entities"),
    [
        ("B-A I-A O B-A", [(0, 2, "A"), (3, 4, "A")]),
        ("B-A B-A I-B", [(0, 1, "A"), (1, 2, "A"), (2, 3, "B")]),
        ("I-A I-A O", [(0, 2, "A")]),
        ("B-A I-A E-A S-A S-A", [(0, 3, "A"), (3, 4, "A"), (4, 5, "A")]),
        ("O", []),
    ],
)
def test_entities_are_those_that_conlleval_sees(tags: str, entities: list[tuple[int, int, str]]) -> None:
    found = entities_of(tags.split())
    assert found == entities
    assert entities_of(bio(found, len(tags.split()))) == entities


@pytest.mark.parametrize("tag", ["LOC", "B-", "X-LOC", "", "b-LOC", "B-A B"])
def test_a_tag_of_another_form_is_refused(tag: str) -> None:
    with pytest.raises(ValueError, match=r"is not O, B-TYPE, I-TYPE, E-TYPE or S-TYPE \(BIO or IOBES\)"):
        entities_of([tag])


def test_the_tags_are_those_of_the_types_in_the_training_rows() -> None:
    assert TAGGER.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert TokenClassification.from_manifest(TAGGER.manifest()) == TAGGER
    with pytest.raises(ValueError, match="every train row has the tag O alone"):
        TokenClassification.fit([["O"]])
    with pytest.raises(ValueError, match="tag 'LABEL_0' is not O"):
        TokenClassification.from_manifest({"labels": ["LABEL_0"]})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"text": "two words", "tags": ["O"]}, "1 tags for a text of 2 words"),
        ({"text": "word", "tags": ["B-ORG"]}, "tag 'B-ORG' is not among the tags"),
        ({"text": "word", "tags": []}, r"tags \[\] are no list of tags"),
        ({"text": "word", "tags": "O"}, "tags 'O' are no list of tags"),
    ],
)
def test_a_row_has_a_known_tag_for_each_word(row: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        TAGGER.check_row(row)


def test_the_first_token_of_a_word_learns_its_tag(tokenizer_folder: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    examples = TAGGER.encode(ROWS, tokenizer, 24)
    targets = TAGGER.learned(ROWS, examples)
    for row, example, target in zip(ROWS, examples, targets, strict=True):
        assert len(target) == len(example.features["input_ids"])
        assert [TAGGER.labels[target[place]] for place in example.places] == row["tags"]
        assert (target != NO_TARGET).sum() == len(row["tags"])
    assert TAGGER.targets(ROWS).tolist() == [[3, 0, 1, 0], [0, *[NO_TARGET] * 3]]


def test_the_loss_is_that_of_the_tokens_with_a_target() -> None:
    outputs = torch.zeros(2, 3, 5)
    targets = torch.tensor([[0, NO_TARGET, 1], [NO_TARGET] * 3])
    assert TAGGER.loss(outputs, targets).item() == pytest.approx(2 * np.log(5))


def test_answers_are_of_words_and_what_is_cut_away_is_outside() -> None:
    outputs = np.full((2, 4, 5), -1, dtype=np.float32)
    outputs[0, 1, 3] = 1  # B-PER
    outputs[1, 0, 2] = np.nan  # what is no number is never the likeliest
    outputs[1, 0, 1] = 1
    # The second word of the first row begins in the token of the first: it goes on with the person.
    found = TAGGER.decode(TAGGER.reduced(outputs, [[1, 1, CUT], [0]]))
    assert TAGGER.values(found) == [["B-PER", "I-PER", "O"], ["B-LOC"]]
    assert found.tolist()[1] == [1, NO_TARGET, NO_TARGET]


def test_agreement_is_the_share_of_words() -> None:
    one, other = np.array([[1, 0, NO_TARGET], [0, 0, 0]]), np.array([[1, 1, NO_TARGET], [0, 0, 0]])
    assert TAGGER.agreement(one, other) == 4 / 5
    assert TAGGER.same(one, other).tolist() == [False, True]


def test_an_entity_counts_where_beginning_end_and_type_are_right() -> None:
    targets, answers = (TAGGER.targets([{"tags": tags.split()} for tags in rows]) for rows in (
        ["B-LOC I-LOC O B-PER", "B-PER O"],
        ["B-LOC I-LOC O B-LOC", "B-PER I-PER"],
    ))  # fmt: skip
    metric = SpanF1(TAGGER.labels)
    assert metric.statistics(targets, answers).tolist() == [[1, 2, 2], [0, 1, 1]]
    assert score(metric, targets, answers) == pytest.approx(2 / 6)
    assert score(TokenAccuracy(), targets, answers) == pytest.approx(4 / 6)
    nothing = np.zeros_like(targets)
    assert score(metric, nothing, nothing) == 0
    assert Entity(0, 2, "LOC") in metric.entities(targets)[0]


def test_tags_that_mark_no_entities_are_each_of_their_word() -> None:
    tagger = TokenClassification.fit([["NOUN", "VERB"], ["ADP", "NOUN"]], metric="token_accuracy")
    assert tagger.labels == ("ADP", "NOUN", "VERB")
    assert TokenClassification.from_manifest(tagger.manifest()) == tagger
    assert [metric.name for metric in tagger.metrics] == ["token_accuracy"]
    answers = np.array([1, 2, 0, -100])
    assert tagger.entities(answers) == [(0, 1, "NOUN"), (1, 2, "VERB"), (2, 3, "ADP")]
    assert tagger.class_counts(answers[None], np.array([[1, 1, 0, -100]]))["NOUN"] == (1, 1, 2)
    # Of the words that begin in one token the second has the tag of the first; one that was cut away has the first tag.
    outputs = np.float32([[0, 1, 0], [0, 0, 1]])
    assert tagger.decode(tagger.reduced([outputs], [[0, 0, 1, -1]])).tolist() == [[1, 1, 2, 0]]
    with pytest.raises(ValueError, match="every train row has the tag NOUN alone"):
        TokenClassification.fit([["NOUN"]], metric="token_accuracy")
