"""A sentence encoder as one PyTorch module: token ids to vectors, by the modules of its folder.

What is exported. The proof computes the same without it: `reference`.
"""

from __future__ import annotations

from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from components.deployment.sentence_embedding.modules import Dense, LayerNorm, Normalize, Pooling, Step

LOWEST = torch.finfo(torch.float32).min
"""In place of a padded token's numbers where the largest is sought; -inf would make NaN of a product."""


class SentenceEncoder(nn.Module):
    """Vectors of padded rows (Reimers and Gurevych 2019): the transformer's last states, pooled, and what follows.

    Rows are padded on the right, or not at all.
    """

    def __init__(self, model: Any, steps: tuple[Step, ...]) -> None:
        super().__init__()
        self.model = model
        self.pooling = next(step for step in steps if isinstance(step, Pooling))
        self.rest = nn.Sequential(*(_module(step) for step in steps if not isinstance(step, Pooling)))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Float32 (rows, width) of ids and mask, int64 (rows, tokens)."""
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        pooled = [_pooled(mode, hidden, attention_mask) for mode in self.pooling.modes]
        return self.rest(torch.cat(pooled, dim=-1))


def _pooled(mode: str, hidden: Tensor, mask: Tensor) -> Tensor:
    real = mask[:, :, None].to(hidden.dtype)
    if mode == "cls":
        return hidden[:, 0]
    if mode == "lasttoken":
        # As a product with one-hot rows: a gather along a dynamic axis is slow in some engines.
        place = torch.arange(mask.shape[1])[None, :] == mask.sum(1, keepdim=True) - 1
        return (hidden * place[:, :, None].to(hidden.dtype)).sum(1)
    if mode == "max":
        return hidden.masked_fill(real == 0, LOWEST).amax(1)
    if mode == "weightedmean":
        real = real * torch.arange(1, mask.shape[1] + 1)[None, :, None].to(hidden.dtype)
    count = real.sum(1).clamp(min=1.0)
    return (hidden * real).sum(1) / (count.sqrt() if mode == "mean_sqrt_len_tokens" else count)


def _module(step: Step) -> nn.Module:
    if isinstance(step, Normalize):
        return _Normalized()
    if isinstance(step, LayerNorm):
        norm = nn.LayerNorm(step.width)
        norm.load_state_dict(_state(step, "norm."))
        return norm
    assert isinstance(step, Dense)
    linear = nn.Linear(step.inputs, step.outputs, bias=step.bias)
    linear.load_state_dict(_state(step, "linear."))
    return nn.Sequential(linear, getattr(nn, step.activation)())


def _state(step: Dense | LayerNorm, prefix: str) -> dict[str, Tensor]:
    weights = load_file(step.weights)
    return {name.removeprefix(prefix): value.float() for name, value in weights.items() if name.startswith(prefix)}


class _Normalized(nn.Module):
    def forward(self, vectors: Tensor) -> Tensor:
        return nn.functional.normalize(vectors, dim=-1)
