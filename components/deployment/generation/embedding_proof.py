"""Is a rung of an encoder the model? The cosine of its vectors with PyTorch's, in several shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.deployment.generation.embedder import Embedder
from components.deployment.parity import shapes


@dataclass(frozen=True)
class EmbeddingProof:
    """The least and the mean cosine with PyTorch's vectors, the largest difference of a number, and where."""

    min_cosine: float
    mean_cosine: float
    max_difference: float
    worst: str

    def metrics(self) -> dict[str, float | str]:
        """For the manifest; to few digits, since the last bits are noise."""
        return {
            "min_cosine": round(self.min_cosine, 5),
            "mean_cosine": round(self.mean_cosine, 5),
            "max_difference": float(f"{self.max_difference:.2g}"),
            "worst": self.worst,
        }


class EmbeddingReference:
    """PyTorch's vectors of real rows in batches of 1, 3, 8 and 32, with and without padding."""

    def __init__(self, model: Any, embedder: Embedder, texts: Sequence[str]) -> None:
        self.batches = shapes(embedder.encoder, list(texts))
        self.vectors = {name: _vectors(model, ids, mask) for name, (ids, mask) in self.batches.items()}


def prove_embeddings(reference: EmbeddingReference, embedder: Embedder) -> EmbeddingProof:
    """Compare a rung with PyTorch."""
    cosines, differences = {}, []
    for name, (ids, mask) in reference.batches.items():
        expected, found = reference.vectors[name], embedder.infer(ids, mask)
        cosines[name] = np.nan_to_num((expected * found).sum(axis=1), nan=-1.0)
        differences.append(float(np.nan_to_num(np.abs(expected - found), nan=np.inf).max()))
    worst = min(cosines, key=lambda name: float(cosines[name].min()))
    return EmbeddingProof(
        min_cosine=float(cosines[worst].min()),
        mean_cosine=float(np.concatenate(list(cosines.values())).mean()),
        max_difference=max(differences),
        worst=worst,
    )


def _vectors(model: Any, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean over real tokens, of length 1, written without the export's module: a slip in that would show."""
    import torch

    with torch.inference_mode():
        given = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        hidden = model(**given).last_hidden_state.numpy()
    means = np.stack([row[real > 0].mean(axis=0) for row, real in zip(hidden, mask, strict=True)])
    return means / np.linalg.norm(means, axis=1, keepdims=True)
