"""How far one rung of the ladder is from the one above it: outputs on real rows, in several shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np

from components.errors import DataError
from components.evaluation.metrics import Bootstrap, Interval
from components.inference.sessions import Arrays, Infer
from components.runtime.encoding import IDS, MASK, Encoder
from components.runtime.prediction import task_outputs
from components.tasks.metrics import Metric, score
from components.tasks.task import Task, Text

Outputs = Mapping[str, tuple[str, ...]]
"""An output that is compared -> its axes: "batch", then "length" where it says something of every token, "" else."""

SIZES = (1, 3, 8)
NEVER = np.float32(-1e4)
"""The score of a token of padding, where tokens are what is scored."""


@dataclass(frozen=True)
class Parity:
    """Differences over all outputs, the share of equal answers, each an output's largest entry along its last axis, and
    the shape with the largest difference."""

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


def compare(reference: Infer, candidate: Infer, batches: Mapping[str, Arrays], outputs: Outputs) -> Parity:
    """Compare two rungs by these outputs on named batches. A candidate that answers NaN differs infinitely."""
    differences, same = {}, []
    for name, feeds in batches.items():
        pair = [without_padding(infer(feeds), feeds, outputs) for infer in (reference, candidate)]
        away = [np.nan_to_num(np.abs(pair[0][one] - pair[1][one]), nan=np.inf, posinf=np.inf) for one in outputs]
        differences[name] = np.concatenate([values.ravel() for values in away])
        # One output alone has no likeliest: how far it is off is what the differences say.
        same += [(pair[0][one].argmax(axis=-1) == pair[1][one].argmax(axis=-1)).ravel() for one in outputs]
    worst = max(differences, key=lambda name: float(differences[name].max()))
    return Parity(
        max_difference=float(differences[worst].max()),
        mean_difference=float(np.concatenate(list(differences.values())).mean()),
        agreement=float(np.concatenate(same).mean()),
        worst_shape=worst,
    )


def without_padding(found: Arrays, feeds: Arrays, outputs: Outputs) -> dict[str, np.ndarray]:
    """The outputs without what they say of padding, where queries may have nothing to attend to: 0 there, or NEVER
    where the tokens are what is scored."""
    return {name: _real(found[name], feeds, axes) for name, axes in outputs.items()}


def _real(values: np.ndarray, feeds: Arrays, axes: tuple[str, ...]) -> np.ndarray:
    if "length" not in axes:
        return values
    mask = feeds[MASK].reshape(*feeds[MASK].shape, *[1] * (values.ndim - 2))
    return np.where(mask == 1, values, NEVER if axes[-1] == "length" else np.float32(0))


def shapes(encoder: Encoder, texts: Sequence[Text]) -> dict[str, Arrays]:
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
    return {f"{name} {feeds[IDS].shape}": feeds for name, feeds in found.items()}


def _tokens(rows: list[list[int]], start: int, length: int) -> list[int]:
    """That many tokens of rows, from the numbered one on and around."""
    found: list[int] = []
    for number in count(start):
        found += rows[number % len(rows)]
        if len(found) >= length:
            break
    return found[:length]


def answers(task: Task, infer: Infer, encoder: Encoder, texts: Sequence[Text]) -> np.ndarray:
    """The task's answer to each text, (texts, ...): the one way from a rung to what is scored."""
    return task.decode(task_outputs(task, infer, encoder, texts))


def compare_task(reference: np.ndarray, candidate: np.ndarray, bootstrap: Bootstrap) -> TaskParity:
    """Compare two rungs by their answers to labelled rows: those that the bootstrap resamples."""
    metric = bootstrap.task.metrics[0]
    return TaskParity(
        metric=metric,
        score=score(metric, bootstrap.targets, candidate),
        gain=bootstrap.gain(reference, candidate),
        agreement=bootstrap.task.agreement(reference, candidate),
    )
