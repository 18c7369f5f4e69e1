"""How far one rung of the ladder is from the one above it: logits on real rows, in several shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from components.errors import DataError
from components.evaluation.metrics import Bootstrap, Interval
from components.runtime.encoding import Batch, Encoder
from components.tasks.metrics import Metric, score
from components.tasks.task import Task

Infer = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(input_ids, attention_mask) -> logits, float32 (rows, classes), or (rows, tokens, classes) of a head over tokens."""


SIZES = (1, 3, 8)
NEVER = np.float32(-1e4)


@dataclass(frozen=True)
class Parity:
    """Differences of logits, the share of rows with the same answer, and the shape with the largest difference."""

    max_difference: float
    mean_difference: float
    agreement: float
    worst_shape: str

    def metrics(self) -> dict[str, float]:
        """As numbers for a metrics file; differences to three digits, since the last bits are noise."""
        return {
            "max_difference": float(f"{self.max_difference:.3g}"),
            "mean_difference": float(f"{self.mean_difference:.3g}"),
            "agreement": round(self.agreement, 6),
        }


@dataclass(frozen=True)
class TaskParity:
    """The task's first metric on labelled rows, what it has over the rung above with a paired bootstrap interval, and
    the share of rows with the same answer."""

    metric: Metric
    score: float
    gain: Interval
    agreement: float

    def metrics(self) -> dict[str, Any]:
        return {
            self.metric.name: round(self.score, 6),
            "gain": self.gain.metrics(),
            "agreement": round(self.agreement, 6),
        }


def compare(reference: Infer, candidate: Infer, batches: Mapping[str, Batch]) -> Parity:
    """Compare two rungs on named batches. A candidate that answers NaN differs infinitely."""
    differences, same = {}, []
    for name, (ids, mask) in batches.items():
        expected, found = reference(ids, mask), candidate(ids, mask)
        differences[name] = np.nan_to_num(np.abs(expected - found), nan=np.inf, posinf=np.inf)
        # One output alone has no likeliest: how far it is off is what the differences say.
        same.append(expected.argmax(axis=-1) == found.argmax(axis=-1))
    worst = max(differences, key=lambda name: float(differences[name].max()))
    return Parity(
        max_difference=float(differences[worst].max()),
        mean_difference=float(np.concatenate([values.ravel() for values in differences.values()]).mean()),
        agreement=float(np.concatenate([values.ravel() for values in same]).mean()),
        worst_shape=worst,
    )


def gathered(values: Sequence[np.ndarray], mask: np.ndarray) -> np.ndarray:
    """A head's outputs as one array without what they say of padding, where queries may have nothing to attend to:
    (rows, classes); (rows, tokens, classes) with 0 there; or places in a text (rows, outputs, tokens), never there."""
    if len(values) > 1:
        return np.stack([np.where(mask == 1, value, NEVER) for value in values], axis=1)
    value = values[0]
    return np.where(mask[:, :, None] == 1, value, np.float32(0)) if value.ndim == 3 else value


def shapes(encoder: Encoder, texts: list[str]) -> dict[str, Batch]:
    """Batches of 1, 3 and 8 real rows, from 1 token to the longest, padded on the right; 32 rows as they are.

    Rows are cut to the length that is wanted, or go on with the next row's tokens; none is padding alone. Raises
    DataError where no text has a token.
    """
    rows = sorted((row for row in encoder.encode(texts) if row), key=lambda row: (len(row), row))
    if not rows:
        raise DataError("no text has a token to compare rungs on", "give rows with text")
    spread = [rows[round(place)] for place in np.linspace(0, len(rows) - 1, min(len(rows), 32))]
    found = {f"{len(spread)} rows as they are": encoder.pad(spread)}
    for size in SIZES:
        for length in sorted({round(length) for length in np.geomspace(1, encoder.max_length, 5)}):
            # The first row has that length and each one after it less.
            lengths = [max(1, round(length * (size - number) / size)) for number in range(size)]
            cut = [_tokens(spread, number, wanted) for number, wanted in enumerate(lengths)]
            found[f"{size} rows of up to {length} tokens"] = encoder.pad(cut)
    found["1 row of 1 token, padded to the full length"] = encoder.pad([_tokens(spread, 0, 1)], encoder.max_length)
    return {f"{name} {ids.shape}": (ids, mask) for name, (ids, mask) in found.items()}


def _tokens(rows: list[list[int]], start: int, length: int) -> list[int]:
    """That many tokens of rows, from the numbered one on and around."""
    found: list[int] = []
    for number in count(start):
        found += rows[number % len(rows)]
        if len(found) >= length:
            break
    return found[:length]


def answers(task: Task, infer: Infer, encoder: Encoder, texts: Sequence[str]) -> np.ndarray:
    """The task's answer to each text."""
    found = np.empty((len(texts), len(task.labels)), dtype=np.float32)
    for places, (ids, mask) in encoder.batches(texts, 32):
        found[places] = infer(ids, mask)
    return task.decode(found)


def compare_task(reference: np.ndarray, candidate: np.ndarray, bootstrap: Bootstrap) -> TaskParity:
    """Compare two rungs by their answers to labelled rows: those that the bootstrap resamples."""
    metric = bootstrap.task.metrics[0]
    return TaskParity(
        metric=metric,
        score=score(metric, bootstrap.targets, candidate),
        gain=bootstrap.gain(reference, candidate),
        agreement=bootstrap.task.agreement(reference, candidate),
    )
