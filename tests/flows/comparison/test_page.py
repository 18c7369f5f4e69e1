"""flows.comparison.page: the picture of quality against latency and size."""

from __future__ import annotations

from flows.comparison.models import Rung
from flows.comparison.page import front


def rung(name: str, score: float, milliseconds: float) -> Rung:
    return Rung(name, score, milliseconds, 1.0, default=False)


def test_the_front_leaves_out_what_another_rung_beats_in_both() -> None:
    fast, good, beaten = rung("fast", 0.8, 1.0), rung("good", 0.9, 2.0), rung("beaten", 0.85, 3.0)
    assert front([beaten, good, fast], "milliseconds", larger_is_better=True) == [fast, good]


def test_where_less_is_better_the_front_goes_down() -> None:
    fast, good, beaten = rung("fast", 30.0, 1.0), rung("good", 20.0, 2.0), rung("beaten", 25.0, 3.0)
    assert front([beaten, good, fast], "milliseconds", larger_is_better=False) == [fast, good]
