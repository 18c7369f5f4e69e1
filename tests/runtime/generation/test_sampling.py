from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from components.errors import DataError
from components.runtime.generation.sampling import Sampler, Sampling, nucleus

LOGITS = np.log(np.array([0.5, 0.3, 0.15, 0.05], dtype=np.float32))


def sampling(**changed: Any) -> Sampling:
    return Sampling(**({"max_tokens": 8, "temperature": 1.0, "top_p": 1.0, "seed": 5, "stop": ()} | changed))


def drawn(by: Sampling, count: int = 4000) -> np.ndarray:
    sampler = Sampler(by)
    return np.bincount([sampler.pick(LOGITS) for _ in range(count)], minlength=4) / count


def test_a_seed_draws_the_same_tokens_again_and_another_seed_others() -> None:
    one, again, other = (Sampler(sampling(seed=seed)) for seed in (5, 5, 6))
    first = [one.pick(LOGITS) for _ in range(40)]
    assert first == [again.pick(LOGITS) for _ in range(40)]
    assert first != [other.pick(LOGITS) for _ in range(40)]


def test_tokens_come_as_often_as_they_are_likely() -> None:
    assert drawn(sampling()) == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)


def test_temperature_sharpens_and_zero_takes_the_likeliest() -> None:
    assert drawn(sampling(temperature=0.5))[0] > 0.6
    for coldest in (0.0, 5e-324, 1e-301, 1e-299):
        assert drawn(sampling(temperature=coldest), 50).tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(("top_p", "kept"), [(0.4, [0]), (0.6, [0, 1]), (0.9, [0, 1, 2]), (1.0, [0, 1, 2, 3])])
def test_the_nucleus_is_the_likeliest_tokens_that_reach_top_p(top_p: float, kept: list[int]) -> None:
    assert nucleus(LOGITS.astype(np.float64), top_p)[0].tolist() == kept
    assert set(np.flatnonzero(drawn(sampling(top_p=top_p)))) == set(kept)


@pytest.mark.parametrize(
    ("top_k", "min_p", "kept"), [(2, 0.0, [0, 1]), (0, 0.25, [0, 1, 2]), (3, 0.5, [0, 1]), (9, 0.0, [0, 1, 2, 3])]
)
def test_a_models_own_top_k_and_min_p_bound_a_draw(top_k: int, min_p: float, kept: list[int]) -> None:
    sampler = Sampler(sampling(), top_k, min_p)
    assert {sampler.pick(LOGITS) for _ in range(2000)} == set(kept)


def test_a_banned_token_is_never_drawn() -> None:
    banned = np.where(np.arange(4) == 0, -np.inf, LOGITS)
    sampler = Sampler(sampling())
    assert {sampler.pick(banned) for _ in range(500)} == {1, 2, 3}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"max_tokens": 0}, "max_tokens 0"),
        ({"temperature": -1.0}, "temperature -1"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"top_p": 0.0}, "top_p 0"),
        ({"top_p": 1.5}, "top_p 1.5"),
        ({"seed": -1}, "seed -1"),
        ({"stop": ("",)}, "empty text"),
    ],
)
def test_a_setting_out_of_range_is_named(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=told):
        sampling(**changed)
