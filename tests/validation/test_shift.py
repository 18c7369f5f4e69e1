"""The permutation test of windows: its rate of false alarms, and its sight."""

from __future__ import annotations

import math

import numpy as np
import pytest

from components.validation.shift import length_bin, permutation_test, score_bin, score_bins, shifts

RATE, WINDOWS = 0.05, 50
SHARES = {"length": [0.3, 0.4, 0.2, 0.1], "answer": [0.6, 0.3, 0.1], "confidence": [0.1] * 10}


def drawn(rng: np.random.Generator, rows: int, shares: dict[str, list[float]]) -> dict[str, dict[str, int]]:
    """Counts by dimension and bin of rows with these shares."""
    return {
        name: {str(place): int(count) for place, count in enumerate(rng.multinomial(rows, of))}
        for name, of in shares.items()
    }


def test_stable_windows_alarm_no_more_often_than_the_rate() -> None:
    rng = np.random.default_rng(1)
    reference = drawn(rng, 1000, SHARES)
    alarms = sum(any(one.alarm for one in shifts(reference, drawn(rng, 200, SHARES), RATE)) for _ in range(WINDOWS))
    # The number of alarms that a rate of 0.05 exceeds in one of a thousand such tests.
    chances = [math.comb(WINDOWS, k) * RATE**k * (1 - RATE) ** (WINDOWS - k) for k in range(WINDOWS + 1)]
    most = next(k for k in range(WINDOWS) if sum(chances[k + 1 :]) < 0.001)
    assert alarms <= most


@pytest.mark.parametrize("dimension", list(SHARES))
def test_a_shift_of_one_dimension_is_seen_in_it_alone(dimension: str) -> None:
    rng = np.random.default_rng(2)
    reference = drawn(rng, 1000, SHARES)
    moved = [0.5, *[0.5 / (len(SHARES[dimension]) - 1)] * (len(SHARES[dimension]) - 1)]
    shares = SHARES | {dimension: [*reversed(moved)]}
    found = shifts(reference, drawn(rng, 200, shares), 0.01)
    assert [one.dimension for one in found if one.alarm] == [dimension]


def test_a_bin_that_no_reference_had_is_named() -> None:
    [found] = shifts({"answer": {"sea": 100}}, {"answer": {"sea": 50, "city": 50}}, 0.01)
    assert found.alarm
    assert found.p_value == pytest.approx(1e-4)
    assert (found.bin, found.before, found.now) in [("city", 0.0, 0.5), ("sea", 1.0, 0.5)]


def test_equal_samples_have_no_shift() -> None:
    statistic, p_value = permutation_test(np.array([50, 50]), np.array([50, 50]))
    assert (statistic, p_value) == (0.0, 1.0)


def test_bins_of_lengths_and_scores() -> None:
    assert [length_bin("a" * size) for size in (0, 1, 64, 127, 128)] == ["0", "1", "64", "64", "128"]
    borders = score_bins([0.1, 0.2, 0.3, 0.4], parts=2)
    assert borders == [0.25]
    assert [score_bin(score, borders) for score in (0.1, 0.25, 0.9)] == ["to 0.2500", "to 0.2500", "above 0.2500"]
