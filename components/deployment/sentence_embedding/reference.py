"""The vectors that a sentence encoder's own library makes: every text by itself, through the files of its folder.

Written apart from what is exported, in NumPy from the hidden states on, so that a slip in one shows against the other;
a test holds it equal to sentence-transformers itself (tests/deployment/sentence_embedding/test_reference.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file

from components.deployment.own_tokenizer import own_tokenizer
from components.deployment.sentence_embedding.modules import Dense, LayerNorm, Normalize, Pooling, Step

if TYPE_CHECKING:
    from components.deployment.source import Source

EPSILON = 1e-5
"""Of torch's layer normalization."""

POOLINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cls": lambda tokens: tokens[0],
    "max": lambda tokens: tokens.max(axis=0),
    "mean": lambda tokens: tokens.mean(axis=0),
    "mean_sqrt_len_tokens": lambda tokens: tokens.sum(axis=0) / math.sqrt(len(tokens)),
    "weightedmean": lambda tokens: np.average(tokens, axis=0, weights=np.arange(1, len(tokens) + 1)),
    "lasttoken": lambda tokens: tokens[-1],
}
"""States of a text's tokens, float64 (tokens, width) -> (width,)."""

ACTIVATED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Identity": lambda values: values,
    "Tanh": np.tanh,
    "ReLU": lambda values: np.maximum(values, 0),
    "GELU": lambda values: values * np.array([0.5 * (1 + math.erf(value / math.sqrt(2))) for value in values]),
    "Sigmoid": lambda values: 1 / (1 + np.exp(-values)),
    "SiLU": lambda values: values / (1 + np.exp(-values)),
}


class SentenceReference:
    """PyTorch's vectors. `model`: the transformer of `source`, in float32."""

    def __init__(self, source: Source, model: Any) -> None:
        self.source, self.model = source, model
        self.tokenizer = own_tokenizer(source)
        self.weights = {
            step.weights: load_file(step.weights)
            for step in source.modules.steps
            if isinstance(step, Dense | LayerNorm)
        }

    def encode(self, texts: Sequence[str], length: int) -> list[list[int]]:
        """Token ids of each text by transformers' own tokenizer, cut at `length` with the special tokens."""
        prompt = self.source.modules.prompt
        return [list(self.tokenizer(prompt + text, truncation=True, max_length=length)["input_ids"]) for text in texts]

    def vectors(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """Float32 (rows, width) of token ids, each row alone and without padding."""
        return np.stack([self._vector(row) for row in rows]).astype(np.float32)

    def _vector(self, row: Sequence[int]) -> np.ndarray:
        import torch

        with torch.inference_mode():
            hidden = self.model(input_ids=torch.tensor([list(row)])).last_hidden_state[0].numpy()
        values: np.ndarray = hidden.astype(np.float64)
        for step in self.source.modules.steps:
            values = self._after(step, values)
        return values

    def _after(self, step: Step, values: np.ndarray) -> np.ndarray:
        if isinstance(step, Pooling):
            return np.concatenate([POOLINGS[mode](values) for mode in step.modes])
        if isinstance(step, Normalize):
            return values / max(float(np.linalg.norm(values)), 1e-12)
        weights = {name: value.astype(np.float64) for name, value in self.weights[step.weights].items()}
        if isinstance(step, LayerNorm):
            centred = values - values.mean()
            normed = centred / math.sqrt(float((centred**2).mean()) + EPSILON)
            return normed * weights["norm.weight"] + weights["norm.bias"]
        made = weights["linear.weight"] @ values + weights.get("linear.bias", 0.0)
        return ACTIVATED[step.activation](made)
