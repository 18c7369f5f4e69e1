"""components.deployment.speed_up: a ratio is as sure as its rounds agree."""

from __future__ import annotations

import numpy as np

from components.deployment.speed_up import SpeedUp, speed_up


def noisy(generator: np.random.Generator, seconds: float, noise: float, rounds: int = 100) -> np.ndarray:
    return seconds * (1 + noise * generator.standard_normal(rounds))


def test_times_without_noise_give_a_ratio_without_an_interval() -> None:
    found = speed_up([np.full(9, 3.0)], [np.full(9, 2.0)], 0.95)
    assert (found.value, found.low, found.high) == (1.5, 1.5, 1.5)
    assert str(found) == "1.50 (1.50 to 1.50)"
    assert found.metrics() == {"speed_up": 1.5, "speed_up_low": 1.5, "speed_up_high": 1.5}


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_claims() -> None:
    generator = np.random.default_rng(3)
    held = 0
    for _ in range(100):
        pair = [[noisy(generator, seconds, 0.05) for _ in range(2)] for seconds in (1.2, 1.0)]
        found = speed_up(*pair, 0.9)
        held += found.low <= 1.2 <= found.high
    assert 80 <= held <= 98


def test_a_slow_spell_makes_a_ratio_less_sure_than_as_many_slow_rounds_here_and_there() -> None:
    above, spell, scattered = (np.ones(100) for _ in range(3))
    above += 0.2 * np.sin(np.arange(100))  # so that the median has somewhere to go
    spell[20:45] = 1.5
    scattered[::4] = 1.5
    one, other = (speed_up([above], [below], 0.95) for below in (spell, scattered))
    assert one.high - one.low > other.high - other.low


def test_a_ratio_is_surely_above_with_its_whole_interval_only() -> None:
    assert SpeedUp(1.05, 1.01, 1.1).surely_above(1.0)
    assert not SpeedUp(1.05, 0.99, 1.1).surely_above(1.0)
    assert not SpeedUp(1.0, 1.0, 1.0).surely_above(1.0)
