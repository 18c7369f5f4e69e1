from __future__ import annotations

import time
from collections.abc import Sequence

from components.deployment.latency import WARM_UP, measure


def test_contenders_take_turns_on_the_same_rows_each_warm() -> None:
    calls: list[tuple[str, tuple[str, ...]]] = []
    contenders = {name: lambda rows, name=name: calls.append((name, tuple(rows))) for name in ("a", "b")}
    measure(contenders, ["one", "two", "three"], [2], 10)
    assert len(calls) == 2 * 2 * (10 + WARM_UP)
    warm, timed = calls[::2], calls[1::2]
    assert [name for name, _ in warm] == [name for name, _ in timed]
    rounds = [timed[start : start + 2] for start in range(0, len(timed), 2)]
    assert all({name for name, _ in pair} == {"a", "b"} for pair in rounds)
    assert all(first[1] == second[1] for first, second in rounds)
    assert [pair[0][0] for pair in rounds[:4]] == ["a", "b", "a", "b"]
    assert rounds[1][0][1] == ("three", "one")


def test_the_slower_contender_is_found_slower() -> None:
    def sleep(rows: Sequence[str]) -> None:
        time.sleep(0.002 * len(rows))

    found = measure({"slow": sleep, "fast": lambda rows: None}, ["text"], [1, 4], 10)
    assert found["slow"]["batch_1"]["p50"] >= 2
    assert found["slow"]["batch_4"]["p50"] >= 8
    for batch in ("batch_1", "batch_4"):
        assert found["fast"][batch]["p50"] < found["slow"][batch]["p50"]
        assert found["slow"][batch]["p50"] <= found["slow"][batch]["p95"]
