import tracemalloc

import numpy as np
import pytest
import torch

from components.training.randomness import (
    ROUNDS,
    Permutation,
    derived_seed,
    seeded_generator,
    seeded_torch_generator,
)


def test_seed_purpose_and_step_each_make_other_numbers() -> None:
    seeds = {derived_seed(*key) for key in [(1, "masking", 0), (2, "masking", 0), (1, "dropout", 0), (1, "masking", 1)]}
    assert len(seeds) == 4


def test_numbers_are_the_same_in_every_process() -> None:
    assert derived_seed(17, "dropout", 3) == 1791907998697371419
    assert seeded_generator(17, "windows", 0).integers(1000, size=3).tolist() == [372, 456, 793]


def test_torch_generators_repeat() -> None:
    first, second = (torch.rand(4, generator=seeded_torch_generator(3, "masking", 8)) for _ in range(2))
    assert torch.equal(first, second)


def keys(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(2**63, size=ROUNDS, dtype=np.uint64)


def whole(size: int, seed: int = 1) -> np.ndarray:
    return Permutation(size, keys(seed))(np.arange(size))


def test_every_number_below_the_size_stands_at_one_place() -> None:
    for size in range(1, 301):
        assert np.array_equal(np.sort(whole(size, size)), np.arange(size)), size


@pytest.mark.parametrize("size", [2**16 - 1, 2**16, 2**16 + 1, 100_003])
def test_large_sizes_are_bijections_too(size: int) -> None:
    found = whole(size)
    assert found.dtype == np.int64
    assert np.array_equal(np.sort(found), np.arange(size))


@pytest.mark.parametrize("size", [10**9 + 7, 10**12, 2**40, 2**62 + 1])
def test_sampled_places_of_a_huge_size_are_distinct_and_inside(size: int) -> None:
    places = np.unique(np.random.default_rng(0).integers(size, size=20_000))
    found = Permutation(size, keys(2))(places)
    assert len(np.unique(found)) == len(places)
    assert found.min() >= 0
    assert found.max() < size


def test_the_keys_alone_decide_the_order() -> None:
    assert np.array_equal(whole(1000, 1), whole(1000, 1))
    assert not np.array_equal(whole(1000, 1), whole(1000, 2))


def test_each_key_matters() -> None:
    orders = []
    for changed in range(ROUNDS):
        others = keys(1)
        others[changed] += np.uint64(1)
        orders.append(tuple(Permutation(1000, others)(np.arange(1000))))
    assert len({*orders, tuple(whole(1000, 1))}) == ROUNDS + 1


@pytest.mark.parametrize("place", [7, 8, 2**40, -1])
def test_a_place_outside_is_refused(place: int) -> None:
    with pytest.raises(IndexError, match=r"0 \.\. 6"):
        Permutation(7, keys(1))(np.array([0, place]))


@pytest.mark.parametrize("size", [0, -3])
def test_there_must_be_something_to_permute(size: int) -> None:
    with pytest.raises(ValueError, match="nothing to permute"):
        Permutation(size, keys(1))


def test_no_places_give_nothing() -> None:
    assert len(Permutation(5, keys(1))(np.array([], dtype=np.int64))) == 0


def test_places_asked_together_or_one_by_one_hold_the_same() -> None:
    permutation = Permutation(257, keys(3))
    together = permutation(np.arange(257))
    assert [int(permutation(np.array([place]))[0]) for place in range(257)] == together.tolist()
    backwards = np.arange(257)[::-1].copy()
    assert np.array_equal(permutation(backwards), together[::-1])
    assert backwards[0] == 256


@pytest.mark.parametrize(("size", "place"), [(7, 0), (10, 9), (16, 5)])
def test_over_many_keys_every_number_is_as_likely_at_a_place(size: int, place: int) -> None:
    draws = 4000
    found = [int(Permutation(size, keys(seed))(np.array([place]))[0]) for seed in range(draws)]
    counts = np.bincount(found, minlength=size)
    expected = draws / size
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < size - 1 + 5 * np.sqrt(2 * (size - 1))


def test_neighbours_do_not_stay_neighbours() -> None:
    found = whole(10_000)
    assert np.abs(np.diff(found)).mean() == pytest.approx(10_000 / 3, rel=0.05)
    assert abs(np.corrcoef(found, np.arange(10_000))[0, 1]) < 0.05


def test_memory_does_not_grow_with_the_size() -> None:
    tracemalloc.start()
    try:
        Permutation(10**12, keys(1))(np.arange(1000))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
