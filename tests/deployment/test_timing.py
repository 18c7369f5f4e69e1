from __future__ import annotations

import time
from collections.abc import Sequence

from components.deployment.timing import WARM_UP, Case, latencies, time_cases, time_in_turn


def test_everyone_is_called_as_often_and_in_turn() -> None:
    order: list[str] = []
    found = time_in_turn(
        {name: lambda number, name=name: order.append(name) for name in "ab"}, lambda number: number, 3
    )
    assert [len(seconds) for seconds in found.values()] == [3, 3]
    assert len(order) == 2 * (WARM_UP + 3)
    assert sorted(order[:2]) == ["a", "b"]
    assert order[2:4] == order[1::-1]


def test_of_any_two_each_comes_first_as_often_and_none_always_behind_the_same() -> None:
    order: list[str] = []
    time_in_turn({name: lambda number, name=name: order.append(name) for name in "abc"}, lambda number: number, 37)
    rounds = ["".join(order[start : start + 3]) for start in range(0, len(order), 3)]
    for first, second in ("ab", "bc", "ac"):
        assert sum(one.index(first) < one.index(second) for one in rounds) == len(rounds) / 2
    assert {one[:2] for one in rounds} == {"ab", "ba", "bc", "cb", "ac", "ca"}


def test_contenders_answer_the_same_rows_each_warm_from_others() -> None:
    calls: list[tuple[str, tuple[str, ...]]] = []
    contenders = {name: lambda rows, name=name: calls.append((name, tuple(rows))) for name in ("a", "b")}
    time_cases(contenders, [Case(2, "full", ("one", "two", "three"))], 10)
    assert len(calls) == 2 * 2 * (10 + WARM_UP)
    warm, timed = calls[::2], calls[1::2]
    assert [name for name, _ in warm] == [name for name, _ in timed]
    assert all(one[1] != other[1] for one, other in zip(warm, timed, strict=True))
    rounds = [timed[start : start + 2] for start in range(0, len(timed), 2)]
    assert all(first[1] == second[1] and first[0] != second[0] for first, second in rounds)
    assert all({one[0][0], other[0][0]} == {"a", "b"} for one, other in zip(rounds[::2], rounds[1::2], strict=False))
    assert rounds[1][0][1] == ("three", "one")


def test_the_slower_contender_is_found_slower() -> None:
    def sleep(rows: Sequence[str]) -> None:
        time.sleep(0.002 * len(rows))

    found = latencies({"slow": sleep, "fast": lambda rows: None}, ["text"], [1, 4], 10)
    assert found["slow"]["batch_1"]["p50"] >= 2
    assert found["slow"]["batch_4"]["p50"] >= 8
    for batch in ("batch_1", "batch_4"):
        assert found["fast"][batch]["p50"] < found["slow"][batch]["p50"]
        assert found["slow"][batch]["p50"] <= found["slow"][batch]["p95"]
