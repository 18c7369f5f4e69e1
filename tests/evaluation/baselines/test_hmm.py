from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.hmm import ADDED, Counted, Hmm, HmmChoice, looks
from components.tasks.token_classification import TokenClassification
from tests.small_artifacts import sentences
from tests.small_kinds import tagged as row_of

TASK = TokenClassification(("O", "B-CITY", "I-CITY", "B-SEA", "I-SEA"))


def rows(count: int, seed: int) -> Rows:
    made = [row_of(*sentence) for sentence in sentences(count, seed)]
    return Rows([" ".join(row["tokens"]) for row in made], TASK.targets(made))


def test_counts_are_those_of_the_rows() -> None:
    """`in Paris`, `Paris`: tag 1 stands once behind tag 0 and once at a beginning, and twice before an end."""
    counted = Counted.of([(["in", "Paris"], [0, 1]), (["Paris"], [1])], 2)
    assert counted.transitions.tolist() == [[0, 1, 0], [0, 0, 2], [1, 1, 0]]
    assert counted.words["Paris"].tolist() == [0, 2]
    assert counted.looks == {"word": pytest.approx([1, 0]), "word in": pytest.approx([1, 0])}


def test_viterbi_finds_the_likeliest_of_all_tags() -> None:
    counted = Counted.of([(["a", "b", "c"], [0, 3, 4]), (["b", "a"], [1, 2]), (["c", "c", "b"], [3, 4, 0])], 5)
    model = Hmm(TASK, counted, HmmChoice(0.1))
    follows = np.log((counted.transitions + 0.1) / (counted.transitions + 0.1).sum(axis=1, keepdims=True))

    def probability(tags: tuple[int, ...], words: list[str]) -> float:
        pairs = zip((5, *tags), (*tags, 5), strict=True)
        emitted = sum(model._emissions(word)[tag] for word, tag in zip(words, tags, strict=True))
        return float(sum(follows[pair] for pair in pairs) + emitted)

    for words in (["a", "b"], ["c", "b", "a"], ["b", "new", "c"]):
        best = max(probability(tags, words) for tags in product(range(5), repeat=len(words)))
        assert probability(tuple(model._tags(words)), words) == pytest.approx(best)


def test_a_tagger_learns_from_words_and_from_what_stands_before() -> None:
    model = Hmm.tuned(TuningData(TASK, rows(120, 0), rows(30, 1), "en"))
    test = rows(30, 2)
    assert TASK.scores(test.targets, model.predict(test.texts))["span_f1"] > 0.9
    assert model.choice.added in ADDED
    assert model.choice.metrics() == {"added": model.choice.added}
    assert model.megabytes() > 0


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("Paris", ("name", "name is")),
        ("NBA", ("capitals", "capitals ba")),
        ("A", ("capital", "capital a")),
        ("42", ("digits", "digits 42")),
        (",", ("other", "other ,")),
        ("sea", ("word", "word ea")),
    ],
)
def test_looks_of_words(word: str, found: tuple[str, str]) -> None:
    assert looks(word) == found
