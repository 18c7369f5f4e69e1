"""How fast the rungs of a bundle are, taken in turn on this machine: only ratios of such times mean anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from components.deployment.timing import WARM_UP, time_in_turn
from components.runtime.generation.embedder import Embedder
from components.runtime.generation.generator import Generator, Row
from components.runtime.generation.sampling import Sampling

ROUNDS = 48
PROMPT = 16
BATCHES = (1, 8)


def generation_speed(rungs: Mapping[str, Generator], batch: int) -> dict[str, np.ndarray]:
    """Milliseconds of each step of `batch` rows after the first few, by rung."""
    return _milliseconds({name: _stepper(generator, batch) for name, generator in rungs.items()})


def embedding_speed(rungs: Mapping[str, Embedder], batch: int) -> dict[str, np.ndarray]:
    """Milliseconds of each round to embed `batch` rows of half the full length, by rung."""

    def run(embedder: Embedder) -> Callable[[int], object]:
        feeds = embedder.encoder.pad([[4] * max(1, embedder.max_length // 2)] * batch)
        return lambda number: embedder.infer(feeds)

    return _milliseconds({name: run(embedder) for name, embedder in rungs.items()})


def _stepper(generator: Generator, batch: int) -> Callable[[int], object]:
    prompt = [4] * max(1, min(PROMPT, generator.max_length - ROUNDS - WARM_UP - 1))
    sampling = Sampling(max_tokens=generator.max_length, temperature=0.0, top_p=1.0, seed=None, stop=())
    rows: list[Row] = []

    def step(number: int) -> None:
        if not rows or len(rows[0]) >= generator.max_length:
            rows[:] = [generator.start(prompt, sampling) for _ in range(batch)]
        for row, logits in zip(rows, generator.advance(rows), strict=True):
            row.tokens.append(int(logits.argmax()))

    return step


def _milliseconds(runs: Mapping[str, Callable[[int], object]]) -> dict[str, np.ndarray]:
    return {name: 1000 * seconds for name, seconds in time_in_turn(runs, lambda number: number, ROUNDS).items()}
