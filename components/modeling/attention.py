"""Attention for bf16 on a CPU: two matrix products and a softmax, where torch's fused kernel is slower than those."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

ATTENTION = "lianzi"
"""Under this name transformers' models find `attention`; what it does not take goes to torch's own kernels."""

LONGEST = 512
"""Tokens: the scores are kept for the backward pass; at 1,024 they are too large for the cache and win nothing."""


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """[batch, heads, length, width] -> [batch, length, heads, width], as transformers wants it."""
    if not _fits(query, key, dropout, options):
        found: tuple[Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout, scaling, is_causal, **options
        )
        return found
    batch, heads, length, width = query.shape
    causal = attention_mask is None and (module.is_causal if is_causal is None else is_causal)
    query, key, value = (part.to(torch.bfloat16).reshape(batch * heads, length, width) for part in (query, key, value))
    scale = width**-0.5 if scaling is None else scaling
    bias = _causal(length) if causal else _additive(attention_mask, batch, heads, length)
    scores = torch.baddbmm(bias, query, key.transpose(1, 2), alpha=scale)
    mixed = torch.bmm(functional.softmax(scores, dim=-1), value)
    return mixed.view(batch, heads, length, width).transpose(1, 2), None


def _fits(query: Tensor, key: Tensor, dropout: float, options: dict[str, Any]) -> bool:
    if query.device.type != "cpu" or torch.compiler.is_compiling():
        return False
    narrow = query.dtype is torch.bfloat16 or (
        torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") is torch.bfloat16
    )
    plain = query.shape == key.shape and query.shape[2] <= LONGEST and not dropout and options.get("cache") is None
    return narrow and plain


@lru_cache(maxsize=8)
def _causal(length: int) -> Tensor:
    """[1, length, length]: 0 where a token may look, a very negative number where it may not."""
    return torch.full((1, length, length), torch.finfo(torch.bfloat16).min, dtype=torch.bfloat16).triu(1)


def _additive(mask: Tensor | None, batch: int, heads: int, length: int) -> Tensor:
    """A mask of transformers' as what is added to the scores."""
    if mask is None:
        return torch.zeros(1, 1, 1, dtype=torch.bfloat16)
    if mask.dtype is torch.bool:
        mask = torch.zeros(mask.shape, dtype=torch.bfloat16).masked_fill(~mask, torch.finfo(torch.bfloat16).min)
    return mask.to(torch.bfloat16).expand(batch, heads, length, length).reshape(batch * heads, length, length)


AttentionInterface.register(ATTENTION, attention)
AttentionMaskInterface.register(ATTENTION, sdpa_mask)
