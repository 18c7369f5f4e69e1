"""components.analysis.fairness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from components.analysis.config import FairnessConfig
from components.analysis.fairness import analyze
from components.analysis.identities import identities
from components.analysis.subject import Analysis, Subject
from components.tasks.generation import Generation
from tests.small_artifacts import sentences
from tests.small_subjects import small_subject

CONFIG = FairnessConfig(rows=30, groups={})
LABELS = ["city", "field", "sea"]


def rows(count: int, seed: int, planted: str = "") -> tuple[list[str], np.ndarray]:
    """Sentences about names of every group; those about the planted one are of the sea, whatever they say."""
    names = [name for lists in identities("en")["names"].groups.values() for each in lists for name in each]
    random = np.random.default_rng(seed)
    texts, targets = [], []
    for text, label in sentences(count, seed):
        name = planted if planted and random.random() < 0.2 else str(random.choice(names))
        texts.append(f"{name}: {text}")
        targets.append(LABELS.index("sea" if name == planted else label))
    return texts, np.array(targets)


def trained(planted: str) -> Subject:
    """A bag of words that has learnt such rows."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(CountVectorizer(), LogisticRegression(C=100.0))
    model.fit(*rows(400, 1, planted))

    def answer(texts: Sequence[Any]) -> np.ndarray:
        found: np.ndarray = model.predict(list(texts))
        return found

    texts, targets = rows(60, 2)
    return small_subject(LABELS, texts, targets, answer(texts), answer=answer)


@pytest.fixture(scope="module")
def planted() -> Analysis:
    found = analyze(CONFIG, trained("Ahmed"))
    assert found is not None
    return found


def test_the_name_that_a_model_is_sensitive_to_is_named(planted: Analysis) -> None:
    assert [*planted.metrics["names"]["sensitive"]] == ["Ahmed"]
    assert planted.metrics["names"]["sensitive"]["Ahmed"]["value"] > 0.5
    assert planted.sentences[0].startswith("names: Ahmed changes ")


def test_its_group_has_the_answers_that_differ_most(planted: Analysis) -> None:
    flips = planted.metrics["names"]["flip_rate"]
    assert len(flips) == 21
    assert "Arabic" in max(flips, key=lambda pair: flips[pair]["value"])
    first = planted.tables["Answers by group: names"].rows[0]
    assert "Arabic" in first[:2]
    scores = planted.metrics["names"]["score"]
    assert min(scores, key=lambda group: scores[group]) == "Arabic"


def test_a_model_that_reads_no_names_is_fair() -> None:
    found = analyze(CONFIG, trained(""))
    assert found is not None
    assert found.metrics["names"]["sensitive"] == {}
    assert "no difference in macro-F1 between groups shown" in found.sentences[0]
    assert found.metrics["worst_gap"] == 0


def test_women_and_men_are_compared_row_by_row() -> None:
    targets = [number % 2 for number in range(40)]
    texts = [f"{'she' if target else 'he'} is here {number}" for number, target in enumerate(targets)]

    def answer(given: Sequence[Any]) -> np.ndarray:
        return np.array([int("she" in text.split()) for text in given])

    found = analyze(
        CONFIG, small_subject(["m", "w"], texts, [number % 2 for number in range(40)], answer(texts), answer=answer)
    )
    assert found is not None
    assert found.metrics["gender"]["rows"] == 30
    assert found.metrics["gender"]["flip_rate"]["women / men"]["value"] == 1.0
    assert found.metrics["worst"] == "gender, women / men"


def test_it_says_nothing_where_nobody_is_mentioned_or_a_text_is_written() -> None:
    assert analyze(CONFIG, small_subject(["a"], ["ship"] * 20, [0] * 20, [0] * 20)) is None
    scores = np.zeros((1, 1, 2))
    assert analyze(CONFIG, small_subject([], ["Emily"], scores, scores, task=Generation(("token",)))) is None


def test_groups_of_ones_own_with_lists_of_other_lengths_are_compared() -> None:
    targets = [number % 2 for number in range(40)]
    texts = [f"a {'student' if target else 'elder'} is here {number}" for number, target in enumerate(targets)]

    def answer(given: Sequence[Any]) -> np.ndarray:
        return np.array([int("student" in text or "teenager" in text) for text in given])

    own = {"en": {"age": {"young": ["student", "teenager"], "old": ["elder"]}}}
    config = CONFIG.model_copy(update={"groups": own})
    found = analyze(config, small_subject(["o", "y"], texts, targets, answer(texts), answer=answer))
    assert found is not None
    assert found.metrics["age"]["flip_rate"]["young / old"]["value"] == 1.0
    assert found.sentences[0].startswith("age: ")
