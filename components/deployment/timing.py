"""How long contenders take, in turn: on a shared machine only times of the same rounds compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

WARM_UP = 3
"""Rounds that do not count."""

Given = TypeVar("Given")

Seconds = dict[str, dict[str, np.ndarray]]
"""Contender -> case -> seconds of each round."""


def time_in_turn(
    contenders: Mapping[str, Callable[[Given], object]],
    given: Callable[[int], Given],
    rounds: int,
    before: Callable[[int], Given] | None = None,
    warm_up: int = WARM_UP,
) -> dict[str, np.ndarray]:
    """Seconds of each round by contender, (rounds,): in each, all are given the same, in an order that is drawn anew
    every second round and reversed in between. Of any two, each comes first as often: who comes later finds the rows in
    the processor's caches, and in a fixed order of going round that would always be the same one.

    `before`: what a contender is given, untimed, just before its turn of a round. What is compared are then contenders
    whose weights are in the processor's caches, as in a server that has work.
    """
    names = list(contenders)
    spent = {name: np.empty(warm_up + rounds) for name in names}
    generator, order = np.random.default_rng(0), list(range(len(names)))
    for number in range(warm_up + rounds):
        order = order[::-1] if number % 2 else generator.permutation(len(names)).tolist()
        for name in (names[place] for place in order):
            if before is not None:
                contenders[name](before(number))
            timed = given(number)
            began = time.perf_counter()
            contenders[name](timed)
            spent[name][number] = time.perf_counter() - began
    return {name: seconds[warm_up:] for name, seconds in spent.items()}


@dataclass(frozen=True)
class Case:
    """What a call is made of: `batch` rows, drawn from some texts, which `kind` tells."""

    batch: int
    kind: str
    texts: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"batch_{self.batch}_{self.kind}"

    def rows(self, number: int) -> list[str]:
        """The rows of a round."""
        start = number * self.batch
        return [self.texts[(start + place) % len(self.texts)] for place in range(self.batch)]

    def others(self, number: int) -> list[str]:
        """Rows that another round is about."""
        return self.rows(number + len(self.texts) // (2 * self.batch) + 1)


def time_cases(contenders: Mapping[str, Callable[[list[str]], object]], cases: Sequence[Case], rounds: int) -> Seconds:
    """Seconds a call, warm, of every case."""
    found: Seconds = {name: {} for name in contenders}
    for case in cases:
        for name, seconds in time_in_turn(contenders, case.rows, rounds, case.others).items():
            found[name][case.name] = seconds
    return found


def latencies(
    contenders: Mapping[str, Callable[[list[str]], object]], texts: Sequence[str], batches: Sequence[int], rounds: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds a call, tokenizer included, at each batch size: contender -> "batch_N" -> p50, p95."""
    every = {batch: Case(batch, "rows", tuple(texts)) for batch in batches}
    seconds = time_cases(contenders, list(every.values()), rounds)
    return {
        name: {f"batch_{batch}": _percentiles(found[case.name]) for batch, case in every.items()}
        for name, found in seconds.items()
    }


def _percentiles(seconds: np.ndarray) -> dict[str, float]:
    p50, p95 = np.percentile(1000 * seconds, [50, 95])
    return {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}
