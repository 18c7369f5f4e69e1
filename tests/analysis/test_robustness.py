"""components.analysis.robustness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from components.analysis.config import BehaviourTest, RobustnessConfig
from components.analysis.robustness import analyze, sampled
from components.analysis.subject import Subject
from components.tasks.generation import Generation
from components.tasks.question_answering import QuestionAnswering
from components.tasks.relation_extraction import RelationExtraction
from components.tasks.sequence_to_sequence import SequenceToSequence
from components.tasks.summarization import Summarization
from components.tasks.token_classification import TokenClassification
from components.tasks.translation import Translation
from tests.small_subjects import small_subject

CONFIG = RobustnessConfig(
    rows=40, written_rows=6, perturbations=["typos", "lower_case", "full_width", "link"], polar_labels=[], tests=[]
)
TEXTS = [f"The {name} by the Sea is grey." for name in ("ship", "harbour", "whale", "anchor")] * 5
TEXTS += [f"The {name} of the town is grey." for name in ("street", "market", "tower", "bridge")] * 5
TARGETS = np.array([1] * 20 + [0] * 20)


def capitals(texts: Sequence[Any]) -> np.ndarray:
    """A model that knows the sea by its capital letter alone."""
    return np.array([int("Sea" in text) for text in texts])


def subject(**changes: Any) -> Subject:
    sure = np.stack([1 - TARGETS, TARGETS], axis=1) * np.linspace(0.6, 0.9, 40)[:, None]
    return small_subject(["city", "sea"], TEXTS, TARGETS, capitals(TEXTS), sure, capitals, **changes)


def test_a_model_that_reads_capital_letters_alone_is_found_out() -> None:
    found = analyze(CONFIG, subject())
    assert found is not None
    lower = found.metrics["perturbations"]["lower_case"]
    assert lower["flip_rate"]["value"] == 0.5
    assert 0.35 < lower["flip_rate"]["low"] < 0.5 < lower["flip_rate"]["high"] < 0.65
    assert lower["macro_f1"] < 0.5
    assert lower["gain"]["high"] < 0
    assert found.metrics["perturbations"]["link"]["flip_rate"]["value"] == 0
    first = found.sentences[0]
    assert "50.0 % (35.2 to 64.8) of the answers to 40 rows change, macro-F1 1.000 to 0.333" in first
    # Of the rows that flip, the one that the model was surest of.
    assert "test/line-20 is sea with 0.75 as it is and city then" in first


def test_it_says_the_same_twice() -> None:
    assert analyze(CONFIG, subject()) == analyze(CONFIG, subject())


def test_at_most_so_many_rows_are_looked_at() -> None:
    found = analyze(CONFIG.model_copy(update={"rows": 10}), subject())
    assert found is not None
    assert {one["rows"] for one in found.metrics["perturbations"].values()} == {10}
    assert len(set(sampled(1000, 10, 3).tolist())) == 10


def test_of_words_that_are_answered_about_only_the_case_and_the_width_change() -> None:
    task = TokenClassification(("O", "B-LOC"))
    texts, tags = ["Paris is big", "old Rome"], np.array([[1, 0, 0], [0, 1, -100]])
    seen: list[str] = []

    def answer(given: Sequence[Any]) -> np.ndarray:
        seen.extend(given)
        return tags[[int("me" in one.lower() or "ｍｅ" in one.lower()) for one in given]]

    found = analyze(CONFIG, small_subject([], texts, tags, tags, answer=answer, task=task))
    assert found is not None
    assert {*found.metrics["perturbations"]} == {"lower_case", "full_width"}
    assert [len(one) for one in seen] == [12, 8] * 2


def test_of_a_question_about_a_context_the_question_alone_changes() -> None:
    task = QuestionAnswering(("start", "end"))
    seen: list[Any] = []

    def answer(given: Sequence[Any]) -> np.ndarray:
        seen.extend(given)
        return np.full((len(given), 1), ord("A"))

    texts = [("Which Place?", "Accra is the Capital.")]
    analyze(CONFIG, small_subject([], texts, answer(texts), answer(texts), answer=answer, task=task))
    assert {context for _, context in seen} == {"Accra is the Capital."}
    assert "which place?" in {question for question, _ in seen}


def lower_case_alone(texts: Sequence[Any]) -> list[str]:
    """A model that writes the second word of a text that has no capital letter, and else nothing that was asked for."""
    return [text.split()[1] if text.islower() else "Nothing" for text in texts]


@pytest.mark.parametrize("kind", [Translation, Summarization])
def test_of_models_that_write_a_changed_text_is_a_changed_answer(kind: type[SequenceToSequence]) -> None:
    task = kind.fit(["ship"])
    texts = [text.lower() if number % 2 else text for number, text in enumerate(TEXTS)]
    targets = task.written([text.split()[1] for text in texts])
    given = small_subject(
        [],
        texts,
        targets,
        task.written(lower_case_alone(texts)),
        answer=lambda texts: task.written(lower_case_alone(texts)),
        task=task,
    )
    found = analyze(CONFIG.model_copy(update={"written_rows": 30}), given)
    assert found is not None
    effects = found.metrics["perturbations"]
    # Rows without capitals stay as they are, and the others are answered right once they have none.
    lower = effects["lower_case"]
    assert lower["flip_rate"]["value"] == 1
    assert lower["gain"]["value"] > 0.9
    assert effects["link"]["rows"] == 30
    assert effects["link"]["flip_rate"]["value"] == 0
    told = next(one for one in found.sentences if one.startswith("lower case"))
    assert f"{task.metrics[0].title} 0.0" in told
    assert "is answered with “Nothing” as it is and with “" in told
    examples = found.tables["The surest answers that change"].rows
    assert {row[3] for row in examples if row[0] == "lower case"} == {"Nothing"}


def test_of_models_that_write_as_many_rows_are_looked_at_as_these_are_asked_for() -> None:
    task = Translation.fit(["ship"])
    texts = task.written(["ship"] * 40)
    given = small_subject([], TEXTS, texts, texts, answer=lambda asked: task.written(["ship"] * len(asked)), task=task)
    found = analyze(CONFIG, given)
    assert found is not None
    assert {one["rows"] for one in found.metrics["perturbations"].values()} == {6}
    own = BehaviourTest(name="greeting", task="places", before="a", after="b", expect="same")
    tested = analyze(CONFIG.model_copy(update={"tests": [own]}), given)
    assert tested is not None
    assert tested.metrics["tests"]["greeting"]["failure_rate"]["value"] == 0


def test_it_says_nothing_of_texts_that_are_carried_on_or_have_marked_places() -> None:
    carried_on, marked = Generation(("token",)), RelationExtraction(("a", "b"))
    scores = np.zeros((1, 1, 2))
    assert analyze(CONFIG, small_subject([], ["a"], scores, scores, task=carried_on)) is None
    assert analyze(CONFIG, small_subject([], ["a"], [0], [0], task=marked)) is None
    own = BehaviourTest(name="greeting", task="places", before="a", after="b", expect="same")
    found = analyze(CONFIG.model_copy(update={"tests": [own]}), small_subject([], ["a"], [0], [0], task=marked))
    assert found is not None
    assert found.sentences[0].startswith("tests of behaviour are not run")
    assert found.sentences[0].endswith("greeting")
