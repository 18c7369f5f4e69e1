"""How far one rung of the ladder is from the one above it: logits on real rows, in several shapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from components.deployment.encoding import Batch, Encoder

Infer = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(input_ids, attention_mask) -> logits, float32 (rows, classes)."""


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


def compare(reference: Infer, candidate: Infer, batches: Mapping[str, Batch]) -> Parity:
    """Compare two rungs on named batches. A candidate that answers NaN differs infinitely."""
    differences, same = {}, []
    for name, (ids, mask) in batches.items():
        expected, found = reference(ids, mask), candidate(ids, mask)
        differences[name] = np.nan_to_num(np.abs(expected - found), nan=np.inf, posinf=np.inf)
        same.append(expected.argmax(axis=1) == found.argmax(axis=1))
    worst = max(differences, key=lambda name: float(differences[name].max()))
    return Parity(
        max_difference=float(differences[worst].max()),
        mean_difference=float(np.concatenate([values.ravel() for values in differences.values()]).mean()),
        agreement=float(np.concatenate(same).mean()),
        worst_shape=worst,
    )


def shapes(encoder: Encoder, texts: list[str]) -> dict[str, Batch]:
    """Batches of 1, 3, 8 and 32 real rows, from the shortest to the longest, with and without padding."""
    by_length = sorted(encoder.encode(texts), key=lambda row: (len(row), row))
    spread = [by_length[round(place)] for place in np.linspace(0, len(by_length) - 1, min(len(by_length), 32))]
    middle = len(spread) // 2
    chosen = {
        "the shortest row alone": encoder.pad(spread[:1]),
        "the middle row alone": encoder.pad(spread[middle : middle + 1]),
        "the longest row alone": encoder.pad(spread[-1:]),
        "the shortest row padded to the full length": encoder.pad(spread[:1], encoder.max_length),
        "three rows of mixed length": encoder.pad([spread[0], spread[middle], spread[-1]]),
        "eight rows of mixed length": encoder.pad(spread[:: max(1, len(spread) // 8)][:8]),
        "eight rows padded to the full length": encoder.pad(spread[-8:], encoder.max_length),
        "all rows of the spread": encoder.pad(spread),
    }
    return {f"{name} {ids.shape}": (ids, mask) for name, (ids, mask) in chosen.items()}
