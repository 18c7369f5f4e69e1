import math
from itertools import pairwise

import pytest

from components.training.schedules import DECAY_SHARE, SCHEDULES, learning_rate_factor


def factors(schedule: str, steps: int = 100, warmup_fraction: float = 0.1) -> list[float]:
    """Of every step, and of the one that would come after the last."""
    return [learning_rate_factor(schedule, step, steps, warmup_fraction) for step in range(steps + 1)]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_climbs_in_even_strides_to_the_peak(schedule: str) -> None:
    found = factors(schedule)
    assert found[:10] == pytest.approx([0.1 * step for step in range(1, 11)])
    assert found[10] == pytest.approx(math.sqrt(10 / 11) if schedule == "inverse_square_root" else 1.0)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_after_the_peak_no_schedule_climbs_again_or_leaves_its_bounds(schedule: str) -> None:
    found = factors(schedule)
    assert all(after <= before for before, after in pairwise(found[9:]))
    assert all(0 <= factor <= 1 for factor in found)
    assert all(factor > 0 for factor in found[:100])


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_without_warm_up_the_first_step_is_the_peak(schedule: str) -> None:
    assert factors(schedule, 10, 0.0)[0] == 1
    assert learning_rate_factor(schedule, 0, 1, 0.0) == 1


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_training_may_be_all_warm_up(schedule: str) -> None:
    assert factors(schedule, 10, 1.0)[:10] == pytest.approx([step / 10 for step in range(1, 11)])


@pytest.mark.parametrize(
    ("schedule", "end"),
    [
        ("constant", 1.0),
        ("linear", 0.0),
        ("cosine", 0.0),
        ("warmup_stable_decay", 0.0),
        ("inverse_square_root", math.sqrt(10 / 101)),
    ],
)
def test_each_schedule_ends_where_it_should(schedule: str, end: float) -> None:
    assert factors(schedule)[100] == pytest.approx(end, abs=1e-12)


def test_linear_and_cosine_are_at_one_half_half_way() -> None:
    assert factors("linear")[55] == pytest.approx(0.5)
    assert factors("cosine")[55] == pytest.approx(0.5)
    assert factors("cosine")[20] > factors("linear")[20]


def test_linear_falls_in_even_strides() -> None:
    found = factors("linear")
    assert [before - after for before, after in pairwise(found[10:])] == pytest.approx([1 / 90] * 90)


def test_the_stable_part_is_flat_and_the_last_fifth_falls_as_one_minus_the_root() -> None:
    found = factors("warmup_stable_decay")
    decay_begins = round(10 + 90 * (1 - DECAY_SHARE))
    assert set(found[9 : decay_begins + 1]) == {1.0}
    assert found[decay_begins + 1] < 1
    middle = (decay_begins + 100) // 2
    assert found[middle] == pytest.approx(1 - math.sqrt(0.5))


def test_the_inverse_square_root_halves_when_the_steps_are_four_times_as_many() -> None:
    found = [learning_rate_factor("inverse_square_root", step, 10_000, 0.01) for step in range(6400)]
    assert found[99] == 1
    assert found[399] == pytest.approx(0.5)
    assert found[1599] == pytest.approx(0.25)
    assert found[6399] == pytest.approx(0.125)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_step_past_the_end_does_not_go_below_zero(schedule: str) -> None:
    assert 0 <= learning_rate_factor(schedule, 150, 100, 0.1) <= 1
