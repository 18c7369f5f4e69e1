from __future__ import annotations

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.crf import PENALTIES, Crf, features
from components.evaluation.baselines.hmm import Hmm
from components.tasks.token_classification import TokenClassification

TASK = TokenClassification(("O", "B-LOC", "I-LOC"))


def rows(*tagged: tuple[str, str]) -> Rows:
    return Rows([text for text, _ in tagged], TASK.targets([{"tags": tags.split()} for _, tags in tagged]))


TRAIN = rows(
    *[(f"we met in {name} today", "O O O B-LOC O") for name in ("Rome", "Oslo", "Bonn", "Lyon")],
    *[(f"I saw {name} there", "O O O O") for name in ("Anna", "Emil", "Otto", "Ida")],
)
VALIDATION = rows(("we met in Paris today", "O O O B-LOC O"), ("I saw Maria there", "O O O O"))


def test_a_words_features_are_its_own_and_its_neighbours() -> None:
    first, second = features(["In", "Paris"])
    assert first == ["is in", "looks name", "begins in", "ends in", "-1 before the row", "+1 is paris", "+1 looks name"]
    assert {"begins par", "ends ris", "-1 is in", "+1 behind the row"} <= set(second)


def test_what_stands_before_a_new_word_tells_its_tag() -> None:
    """The features of neighbours are what a hidden Markov model lacks: a word's tag depends on tags alone there."""
    data = TuningData(TASK, TRAIN, VALIDATION, "en")
    crf, hmm = Crf.tuned(data), Hmm.tuned(data)
    new = ["we met in Lima today", "I saw Nora there"]
    assert TASK.values(crf.predict(new)) == [["O", "O", "O", "B-LOC", "O"], ["O", "O", "O", "O"]]
    assert TASK.values(hmm.predict(new)) != TASK.values(crf.predict(new))
    assert crf.choice.penalty in PENALTIES
    assert crf.choice.metrics() == {"penalty": crf.choice.penalty}
    assert crf.megabytes() > 0
    assert crf.weights == Crf.tuned(data).weights
