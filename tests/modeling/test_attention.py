"""components.modeling.attention: what torch's attention computes, to the roundings of bf16."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from components.modeling.attention import attention


class Layer:
    """As much of an attention module as is asked for."""

    def __init__(self, is_causal: bool) -> None:
        self.is_causal = is_causal


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("causal", [True, False])
def test_outputs_and_gradients_are_torchs(causal: bool, masked: bool) -> None:
    torch.manual_seed(0)
    parts = [torch.randn(2, 3, 9, 16, dtype=torch.bfloat16, requires_grad=True) for _ in range(3)]
    mask = None
    if masked:
        mask = torch.ones(2, 1, 9, 9, dtype=torch.bool)
        mask[1, :, :, 6:] = False
        mask = mask.tril() if causal else mask
    layer: Any = Layer(causal)
    found = attention(layer, *parts, mask)[0]
    exact = [part.float() for part in parts]
    expected = functional.scaled_dot_product_attention(*exact, attn_mask=mask, is_causal=causal and not masked)
    torch.testing.assert_close(found.float(), expected.transpose(1, 2), atol=0.03, rtol=0.03)
    direction = torch.randn(found.shape)
    for mine, theirs in zip(
        torch.autograd.grad((found * direction).sum(), parts),
        torch.autograd.grad((expected.transpose(1, 2) * direction).sum(), parts),
        strict=True,
    ):
        torch.testing.assert_close(mine.float(), theirs.float(), atol=0.06, rtol=0.06)


def test_float32_goes_to_torchs_own_kernel() -> None:
    parts = [torch.randn(1, 2, 4, 8) for _ in range(3)]
    layer: Any = Layer(False)
    expected = functional.scaled_dot_product_attention(*parts).transpose(1, 2)
    torch.testing.assert_close(attention(layer, *parts, None)[0], expected)
