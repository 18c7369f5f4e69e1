"""components.analysis.behaviour_tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from components.analysis.behaviour_tests import cases, negated, run_tests
from components.analysis.config import BehaviourTest, PolarLabels, RobustnessConfig
from components.analysis.subject import Subject
from components.errors import ParameterError
from components.tasks.classification import Classification
from tests.small_subjects import small_subject

TEXTS = ["the film is good", "the film is bad", "the book is good", "the book is bad"]


def probability(texts: Sequence[Any]) -> np.ndarray:
    """A model that counts good and bad words and does not read `not`."""
    likes = [
        sum(word in text for word in ("good", "love")) - sum(word in text for word in ("bad", "hate")) for text in texts
    ]
    positive = 1 / (1 + np.exp(-np.array(likes, dtype=np.float64)))
    return np.stack([1 - positive, positive], axis=1)


def subject() -> Subject:
    answers = probability(TEXTS).argmax(axis=1)
    return small_subject(
        ["negative", "positive"],
        TEXTS,
        answers,
        answers,
        probability(TEXTS),
        lambda texts: probability(texts).argmax(axis=1),
        probability=probability,
    )


def config(*tests: BehaviourTest, polar: bool = False) -> RobustnessConfig:
    labels = [PolarLabels(negative="negative", positive="positive")] if polar else []
    return RobustnessConfig(rows=4, written_rows=4, perturbations=[], polar_labels=labels, tests=list(tests))


def test_templates_are_filled_with_every_combination() -> None:
    fill = {"thing": ["film", "book"], "name": ["Mary", "Omar"]}
    test = BehaviourTest(
        name="names", task="places", before="{name}: a {thing}", after="a {thing}", fill=fill, expect="same"
    )
    assert cases(test) == [
        ("Mary: a film", "a film"),
        ("Mary: a book", "a book"),
        ("Omar: a film", "a film"),
        ("Omar: a book", "a book"),
    ]


def test_an_answer_that_should_stay_and_does_not_is_counted() -> None:
    test = BehaviourTest(
        name="boldness",
        task="places",
        before="a good film",
        after="a {word} film",
        fill={"word": ["good", "bad"]},
        expect="same",
    )
    (found,) = run_tests(config(test), subject(), np.arange(4))
    assert (found.rate.count, found.rate.total) == (1, 2)
    assert found.example == "'a bad film'"
    assert "50.0 %" in found.sentence()
    assert found.sentence().endswith("cases fail (expected: the answer stays), for example 'a bad film'")


@pytest.mark.parametrize(("expect", "failing"), [("up", 1), ("down", 0)])
def test_a_probability_has_to_go_the_right_way(expect: Any, failing: int) -> None:
    test = BehaviourTest(
        name="less", task="places", before="good", after="good but bad", expect=expect, label="positive"
    )
    (found,) = run_tests(config(test), subject(), np.arange(4))
    assert found.rate.count == failing


def test_a_test_of_another_task_does_not_run() -> None:
    test = BehaviourTest(name="less", task="topic", before="a", after="b", expect="same")
    assert run_tests(config(test), subject(), np.arange(4)) == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"label": "postive"}, r"has no label 'postive'\nits labels: negative, positive"),
        ({"label": "positive", "pairs": True}, "a row of places is several texts"),
        ({"label": "positive", "unsure": True}, "places has no probabilities"),
    ],
)
def test_a_test_that_the_task_cannot_be_asked_is_refused(changes: dict[str, Any], told: str) -> None:
    test = BehaviourTest(name="less", task="places", before="a", after="b", expect="up", label=changes["label"])
    texts: list[Any] = [(text, text) for text in TEXTS] if "pairs" in changes else TEXTS
    asked = None if "unsure" in changes else probability
    task = Classification(("negative", "positive"), pair="pairs" in changes)
    given = small_subject([], texts, [0] * 4, [0] * 4, probability=asked, task=task)
    with pytest.raises(ParameterError, match=told):
        run_tests(config(test), given, np.arange(4))


def test_two_pairs_of_polar_labels_of_a_task_are_refused() -> None:
    both = config(polar=True)
    both = both.model_copy(update={"polar_labels": both.polar_labels * 2})
    with pytest.raises(ParameterError, match="2 pairs are labels of places"):
        run_tests(both, subject(), np.arange(4))


def test_polar_labels_bring_negation_praise_and_complaint() -> None:
    found = {one.name: one.rate for one in run_tests(config(polar=True), subject(), np.arange(4))}
    assert {name: (rate.count, rate.total) for name, rate in found.items()} == {
        "praise added": (0, 4),
        "complaint added": (0, 4),
        "negation": (0, 4),
    }


def test_a_negated_text_that_is_answered_alike_and_surer_fails() -> None:
    def surer(texts: Sequence[Any]) -> np.ndarray:
        found = probability(texts)
        return found**2 / (found**2).sum(axis=1, keepdims=True) if " not " in texts[0] else found

    given = small_subject(
        ["negative", "positive"], TEXTS, [1, 0, 1, 0], [1, 0, 1, 0], probability(TEXTS), probability=surer
    )
    found = {one.name: one for one in run_tests(config(polar=True), given, np.arange(4))}
    assert found["negation"].rate.count == 4
    assert found["negation"].example == "'the film is not good'"


@pytest.mark.parametrize(
    ("language", "before", "after"),
    [
        ("en", "It is good", "It is not good"),
        ("en", "It is not good", "It is good"),
        ("en", "It isn't good", "It is good"),
        ("en", "no verb here", None),
        ("en", "I can't go", "I can go"),
        ("en", "I won't go", None),
        ("en", "They haven't slept", "They have slept"),
        ("zh", "我喜欢这本书", "我不喜欢这本书"),
        ("zh", "我不喜欢这本书", "我喜欢这本书"),
        ("zh", "海边的船", None),
        ("zh", "但是我喜欢", "但是我不喜欢"),
        ("zh", "可是他总是晚到", None),
        ("zh", "要不是下雨", None),
        ("zh", "你是不是累了", None),
    ],
)
def test_a_text_is_denied_or_its_denial_taken_out(language: str, before: str, after: str | None) -> None:
    assert negated(before, language) == after
