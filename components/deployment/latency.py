"""How long contenders take to answer, side by side: on a shared machine only figures taken in turn compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

Answer = Callable[[Sequence[str]], object]
"""Texts in, answers out: what is timed includes the tokenizer."""

WARM_UP = 3


def measure(
    contenders: Mapping[str, Answer], texts: Sequence[str], batches: Sequence[int], repeats: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Milliseconds a call at each batch size: contender -> "batch_N" -> p50, p95.

    In each round every contender answers the same rows once; the order turns with the round, so that none
    always runs in the wake of the same other. Each turn begins with a call on other rows that is not timed: what is
    compared are contenders whose weights are in the processor's caches, as in a server that has work.
    """
    names = list(contenders)
    found: dict[str, dict[str, dict[str, float]]] = {name: {} for name in names}
    for batch in batches:
        spent: dict[str, list[float]] = {name: [] for name in names}
        for round_number in range(WARM_UP + repeats):
            start = round_number * batch
            rows, others = _rows(texts, start, batch), _rows(texts, start + len(texts) // 2, batch)
            turn = round_number % len(names)
            for name in names[turn:] + names[:turn]:
                contenders[name](others)
                spent[name].append(_milliseconds(contenders[name], rows))
        for name in names:
            p50, p95 = np.percentile(spent[name][WARM_UP:], [50, 95])
            found[name][f"batch_{batch}"] = {"p50": round(float(p50), 3), "p95": round(float(p95), 3)}
    return found


def _rows(texts: Sequence[str], start: int, count: int) -> list[str]:
    return [texts[(start + number) % len(texts)] for number in range(count)]


def _milliseconds(answer: Answer, rows: Sequence[str]) -> float:
    began = time.perf_counter()
    answer(rows)
    return 1000 * (time.perf_counter() - began)
