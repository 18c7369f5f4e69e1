"""components.evaluation.differences: what two systems' answers to the same rows show of them, and what they cannot."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from components.deployment.rows import read_rows
from components.evaluation.differences import Difference, differences, holm, mcnemar, right, sentence
from components.evaluation.metrics import Bootstrap
from components.evaluation.rungs import torch_rung
from components.tasks.classification import Classification
from components.tasks.regression import Regression
from tests.small_ladder import LABELS as PLACES
from tests.small_ladder import LENGTH, small_model

LABELS = 3
TASK = Classification(("a", "b", "c"))
F1, ACCURACY = TASK.metrics
ROWS = 400
TARGETS = np.random.default_rng(11).integers(LABELS, size=ROWS)


@pytest.fixture
def generator() -> np.random.Generator:
    """A test's own, so that its draws do not depend on the tests before it; of this seed the margins are wide."""
    return np.random.default_rng(11)


def answers(quality: float | np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Each right with this probability, else another label."""
    wrong = (TARGETS + generator.integers(1, LABELS, size=ROWS)) % LABELS
    return np.where(generator.random(ROWS) < quality, TARGETS, wrong)


def compared(systems: Sequence[np.ndarray], metric: object = F1, seed: int = 0) -> tuple[Difference, ...]:
    bootstrap = Bootstrap(TASK, TARGETS, 300, 0.95, seed)
    return differences(bootstrap, metric, {str(n): [one] for n, one in enumerate(systems)}, 0.95)  # type: ignore[arg-type]


@pytest.mark.parametrize("metric", TASK.metrics, ids=lambda metric: metric.name)
def test_ten_systems_of_one_quality_give_at_most_one_false_alarm_in_twenty_repetitions(metric: object) -> None:
    """Longer trials had an alarm in 2 to 6 % of the repetitions, so among twenty there may be two."""
    generator = np.random.default_rng(12)
    alarms = 0
    for seed in range(20):
        hard = generator.random(ROWS) * 0.4 + 0.6  # rows that are hard for one system are hard for all
        found = compared([answers(hard, generator) for _ in range(10)], metric, seed)
        assert len(found) == 45
        alarms += any(one.shown for one in found)
    assert alarms <= 1


@pytest.mark.parametrize("metric", TASK.metrics, ids=lambda metric: metric.name)
def test_twice_the_smallest_detectable_effect_is_found_in_eighty_of_a_hundred_sets(metric: object) -> None:
    generator = np.random.default_rng(4)
    detectable = compared([answers(0.75, generator), answers(0.75, generator)], metric)[0].detectable
    better = 0.75 + 2 * detectable
    found = [compared([answers(0.75, generator), answers(better, generator)], metric, seed)[0] for seed in range(100)]
    assert sum(one.shown and one.value > 0 for one in found) >= 80


def test_the_smallest_detectable_effect_itself_is_found_in_about_eighty_of_a_hundred_sets() -> None:
    generator = np.random.default_rng(5)
    detectable = compared([answers(0.75, generator), answers(0.75, generator)], ACCURACY)[0].detectable
    found = [compared([answers(0.75, generator), answers(0.75 + detectable, generator)])[0] for _ in range(100)]
    assert 68 <= sum(one.shown for one in found) <= 95


def test_two_seeds_of_one_configuration_show_no_difference_and_the_sentence_says_what_could_be_seen(
    generator: np.random.Generator,
) -> None:
    told = sentence(compared([answers(0.8, generator), answers(0.8, generator)])[0])
    assert re.fullmatch(
        r"no difference shown in macro-F1: [+-]0\.\d{3} \(-0\.\d{3} to \+0\.\d{3}\), the test could have seen 0\.\d{3}",
        told,
    )


def test_two_trained_models_that_differ_in_their_seed_alone_show_no_difference(
    task_rows: Path, tokenizer_folder: Path, tmp_path: Path
) -> None:
    """Trained so little that both are wrong about some rows."""
    rows, task = read_rows(task_rows, "test", PLACES), Classification(tuple(PLACES))
    systems = {}
    for seed in (1, 3):
        small_model(tmp_path / str(seed), task_rows, tokenizer_folder, seed, steps=16)
        systems[str(seed)] = [torch_rung(task, tmp_path / str(seed), LENGTH)(rows.texts)]
    bootstrap = Bootstrap(task, rows.targets, 300, 0.95, 0)
    for metric in task.metrics:
        told = sentence(differences(bootstrap, metric, systems, 0.95)[0])
        assert told.startswith(f"no difference shown in {metric.title}")


def test_the_same_answers_are_said_to_be_the_same(generator: np.random.Generator) -> None:
    same = answers(0.8, generator)
    one = compared([same, same])[0]
    assert (one.p, one.shown) == (1.0, False)
    assert sentence(one) == "no difference: the same answers to all 400 rows"


def test_a_difference_that_is_shown_is_said_with_its_interval(generator: np.random.Generator) -> None:
    one = compared([answers(0.5, generator), answers(0.9, generator)], ACCURACY)[0]
    assert one.shown
    assert one.low < one.value < one.high
    assert re.fullmatch(r"better in accuracy: \+0\.\d{3} \(.*\), p = .* by McNemar", sentence(one))
    assert sentence(compared([answers(0.9, generator), answers(0.5, generator)])[0]).startswith(
        "worse in macro-F1: -0."
    )


def test_a_difference_that_the_correction_takes_back_says_so() -> None:
    one = Difference("a", "b", F1, 400, 0.05, 0.02, 0.001, 0.039, 0.05, "bootstrap", 0.04, 0.4, 10)
    assert sentence(one).endswith("the test could have seen 0.050, p = 0.04, 0.4 as one of 10 comparisons")


def test_where_no_resample_moves_the_metric_nothing_is_said_of_what_could_be_seen() -> None:
    one = Difference("a", "b", F1, 400, 0.05, 0.0, 0.0, 0.0, 0.0, "bootstrap", 1.0, 1.0)
    assert sentence(one) == "no difference shown in macro-F1: +0.000 (+0.000 to +0.000)"


def test_seeds_that_differ_more_than_the_systems_hide_the_difference(generator: np.random.Generator) -> None:
    bootstrap = Bootstrap(TASK, TARGETS, 300, 0.95, 0)
    steady = {
        "before": [answers(0.7, generator) for _ in range(3)],
        "after": [answers(0.8, generator) for _ in range(3)],
    }
    unsteady = {
        "before": [answers(q, generator) for q in (0.5, 0.7, 0.9)],
        "after": [answers(q, generator) for q in (0.6, 0.8, 1.0)],
    }
    sure, unsure = (differences(bootstrap, F1, one, 0.95)[0] for one in (steady, unsteady))
    assert sure.shown
    assert not unsure.shown
    assert unsure.detectable > 2 * sure.detectable


def test_only_the_named_pairs_are_compared(generator: np.random.Generator) -> None:
    bootstrap = Bootstrap(TASK, TARGETS, 100, 0.95, 0)
    systems = {name: [answers(0.8, generator)] for name in "abc"}
    found = differences(bootstrap, F1, systems, 0.95, [("a", "b"), ("a", "c")])
    assert [(one.first, one.second, one.comparisons) for one in found] == [("a", "b", 2), ("a", "c", 2)]


def test_holm_multiplies_the_smallest_by_their_number_and_keeps_the_order() -> None:
    # By hand, as in statsmodels' multipletests(method="holm").
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]


def test_mcnemar_is_the_binomial_test_of_the_rows_in_which_two_systems_differ() -> None:
    first, second = np.array([True] * 5 + [False] * 5), np.array([False] * 4 + [True] * 6)
    assert mcnemar(first, second) == 1.0  # four lost, five gained
    assert mcnemar(np.zeros(6, dtype=bool), np.ones(6, dtype=bool)) == pytest.approx(2 * 0.5**6)
    assert mcnemar(first, first) == 1.0


def test_rows_are_right_or_wrong_only_by_a_metric_that_counts_them(generator: np.random.Generator) -> None:
    found = answers(0.8, generator)
    hits = right(ACCURACY, TARGETS, found)
    assert hits is not None
    assert np.array_equal(hits, found == TARGETS)
    assert right(F1, TARGETS, found) is None
    error = Regression(("number",)).metrics[-1]
    assert right(error, np.array([1.0, 2.0]), np.array([1.0, 3.0])) is None


def test_the_p_value_is_almost_that_of_the_normal_distribution(generator: np.random.Generator) -> None:
    one = compared([answers(0.7, generator), answers(0.76, generator)])[0]
    error = (one.high - one.low) / 2 / norm.ppf(0.975)
    assert one.p == pytest.approx(2 * norm.sf(abs(one.value) / error), rel=0.1)
