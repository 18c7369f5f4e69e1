"""Is a rung of an encoder the model? The cosine of its vectors with those of the model's own library.

From token ids in several shapes, and from texts on, so that a tokenizer that cuts or writes otherwise shows as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from components.deployment.parity import shapes
from components.deployment.sentence_embedding.reference import SentenceReference
from components.errors import DataError
from components.runtime.encoding import IDS, MASK
from components.runtime.generation.embedder import Embedder

if TYPE_CHECKING:
    from components.deployment.config import GateConfig

TEXTS = 32
"""Compared from their letters on."""

LONGEST_WORD = 8
"""Characters a token, generously: a text this many times the length is cut."""

TINY = 1e-30


@dataclass(frozen=True)
class EmbeddingParity:
    """The least and the mean cosine with the model's own vectors, the largest difference of a number, and where."""

    min_cosine: float
    mean_cosine: float
    max_difference: float
    worst: str

    def __str__(self) -> str:
        return f"cosine with the model's own vectors {self.min_cosine:.5f} and more, {self.mean_cosine:.5f} on average"

    def refusal(self, rung: str, limits: GateConfig) -> str | None:
        """Why the rung is not good enough, or None."""
        if rung == "fp32" and self.max_difference > limits.max_difference:
            return f"a number differs from PyTorch's by {self.max_difference:.2g}, {limits.max_difference:g} is allowed"
        if self.min_cosine < limits.min_cosine:
            return f"cosine {self.min_cosine:.4f} with PyTorch's on {self.worst}, {limits.min_cosine:g} is asked for"
        return None

    def metrics(self) -> dict[str, float | str]:
        """For the manifest; to few digits, since the last bits are noise."""
        return {
            "min_cosine": round(self.min_cosine, 5),
            "mean_cosine": round(self.mean_cosine, 5),
            "max_difference": float(f"{self.max_difference:.2g}"),
            "worst": self.worst,
        }


class EmbeddingReference:
    """The model's own vectors of real rows in batches of 1, 3, 8 and 32, with and without padding, and of texts.
    Raises DataError where there is no text."""

    def __init__(self, own: SentenceReference, embedder: Embedder, texts: Sequence[str]) -> None:
        if not any(text.strip() for text in texts):
            raise DataError("no text to prove the graphs on", "--rows FILE names some")
        self.batches = shapes(embedder.encoder, list(texts))
        self.vectors = {
            name: own.vectors([row[real > 0].tolist() for row, real in zip(feeds[IDS], feeds[MASK], strict=True)])
            for name, feeds in self.batches.items()
        }
        self.texts = _texts(texts, embedder.max_length)
        self.text_vectors = own.vectors(own.encode(self.texts, embedder.max_length))


def embedding_parity(reference: EmbeddingReference, embedder: Embedder) -> EmbeddingParity:
    """Compare a rung with the model."""
    pairs = {name: (reference.vectors[name], embedder.infer(feeds)) for name, feeds in reference.batches.items()}
    pairs[f"{len(reference.texts)} texts"] = (reference.text_vectors, embedder.embed(reference.texts))
    cosines, differences = {}, []
    for name, (expected, found) in pairs.items():
        cosines[name] = cosine(expected, found)
        differences.append(float(np.nan_to_num(np.abs(expected - found), nan=np.inf).max()))
    worst = min(cosines, key=lambda name: float(cosines[name].min()))
    return EmbeddingParity(
        min_cosine=float(cosines[worst].min()),
        mean_cosine=float(np.concatenate(list(cosines.values())).mean()),
        max_difference=max(differences),
        worst=worst,
    )


def cosine(expected: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Of each row of one with the same row of the other, (rows,); 1 where both are zero, -1 where there is a NaN."""
    norms = [np.linalg.norm(rows, axis=1) for rows in (expected, found)]
    similar = np.nan_to_num((expected * found).sum(axis=1) / np.maximum(norms[0] * norms[1], TINY), nan=-1.0)
    # A row of nothing but padding ids is all zeros in MPNet, on both sides.
    return np.where((norms[0] == 0) & (norms[1] == 0), 1.0, similar)


def _texts(texts: Sequence[str], length: int) -> list[str]:
    """Some of the texts, one in capitals, and one that is longer than the model reads."""
    full = [text for text in texts if text.strip()][:TEXTS]
    together = " ".join(full)
    return [*full, full[0].upper(), together * (1 + length * LONGEST_WORD // len(together))]
