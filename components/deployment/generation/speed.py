"""How fast the rungs of a bundle are, taken in turn on this machine: only ratios of such times mean anything."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import numpy as np

from components.runtime.generation.embedder import Embedder
from components.runtime.generation.generator import Generator, Row
from components.runtime.generation.sampling import Sampling

ROUNDS = 48
WARM_UP = 3
PROMPT = 16
BATCHES = (1, 8)


def generation_speed(rungs: Mapping[str, Generator], batch: int) -> dict[str, np.ndarray]:
    """Milliseconds of each step of `batch` rows after the first few, by rung."""
    return _in_turn({name: _stepper(generator, batch) for name, generator in rungs.items()})


def embedding_speed(rungs: Mapping[str, Embedder], batch: int) -> dict[str, np.ndarray]:
    """Milliseconds of each round to embed `batch` rows of half the full length, by rung."""

    def run(embedder: Embedder) -> Callable[[], object]:
        ids = np.full((batch, max(1, embedder.max_length // 2)), 4, dtype=np.int64)
        return lambda: embedder.infer(ids, np.ones_like(ids))

    return _in_turn({name: run(embedder) for name, embedder in rungs.items()})


def _stepper(generator: Generator, batch: int) -> Callable[[], object]:
    prompt = [4] * max(1, min(PROMPT, generator.max_length - ROUNDS - WARM_UP - 1))
    sampling = Sampling(max_tokens=generator.max_length, temperature=0.0, top_p=1.0, seed=None, stop=())
    rows: list[Row] = []

    def step() -> None:
        if not rows or len(rows[0]) >= generator.max_length:
            rows[:] = [generator.start(prompt, sampling) for _ in range(batch)]
        for row, logits in zip(rows, generator.advance(rows), strict=True):
            row.tokens.append(int(logits.argmax()))

    return step


def _in_turn(runs: Mapping[str, Callable[[], object]]) -> dict[str, np.ndarray]:
    """In each round every rung does the same once; who begins changes with the round."""
    names = list(runs)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for number in range(WARM_UP + ROUNDS):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            began = time.perf_counter()
            runs[name]()
            taken[name].append(1000 * (time.perf_counter() - began))
    return {name: np.array(times[WARM_UP:]) for name, times in taken.items()}
