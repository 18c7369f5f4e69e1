"""Cross-entropy over a vocabulary without the whole matrix of logits: a chunk of rows at a time, forward and backward.

[rows, vocabulary] logits in float32 and their gradient are the largest tensors of a language model's step. Here each
chunk's logits are turned into its loss and its gradients while they are still in the cache, then dropped (Hsu 2024,
Liger Kernel; Wijmans 2024, Cut Your Losses).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

CHUNK_ROWS = {"cpu": 512, "cuda": 8192}
"""Rows a chunk: enough that adding up the head's gradient once a chunk costs little, few enough for the cache."""


def chunked_cross_entropy(hidden: Tensor, head: nn.Linear, targets: Tensor) -> Tensor:
    """The SUM over rows of the cross-entropy of head(hidden [rows, width]) against targets [rows], as a scalar."""
    if torch.is_autocast_enabled(hidden.device.type):
        hidden = hidden.to(torch.get_autocast_dtype(hidden.device.type))
    total: Tensor = _ChunkedCrossEntropy.apply(hidden, head.weight, head.bias, targets)
    return total


@torch.no_grad()
def row_losses(hidden: Tensor, head: nn.Linear, targets: Tensor) -> Tensor:
    """The cross-entropy of each row [rows], chunk by chunk, without gradients."""
    losses = [torch.zeros(0, device=hidden.device)]
    for start, end in _chunks(hidden):
        logits = nn.functional.linear(hidden[start:end], head.weight, head.bias).float()
        losses.append(nn.functional.cross_entropy(logits, targets[start:end], reduction="none"))
    return torch.cat(losses)


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
        """Loss and gradients at once: the gradient of a sum is known up to the factor that backward brings."""
        narrow = weight.to(hidden.dtype)
        exact = torch.promote_types(hidden.dtype, torch.float32)
        total = torch.zeros((), dtype=exact, device=hidden.device)
        grad_hidden = torch.empty_like(hidden)
        grad_weight = torch.zeros_like(weight)
        grad_bias = None if bias is None else torch.zeros_like(bias)
        for start, end in _chunks(hidden):
            rows = hidden[start:end]
            logits = (rows @ narrow.T).to(exact)
            if bias is not None:
                logits += bias
            wanted = targets[start:end, None]
            normaliser = logits.logsumexp(dim=1, keepdim=True)
            total += (normaliser - logits.gather(1, wanted)).sum()
            slope = logits.sub_(normaliser).exp_()
            slope.scatter_add_(1, wanted, slope.new_full(wanted.shape, -1.0))
            if grad_bias is not None:
                grad_bias += slope.sum(dim=0)
            narrow_slope = slope.to(hidden.dtype)
            grad_hidden[start:end] = narrow_slope @ narrow
            grad_weight += narrow_slope.T @ rows
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        (slope,) = slopes
        scaled_bias = None if grad_bias is None else grad_bias * slope
        return grad_hidden * slope.to(grad_hidden.dtype), grad_weight * slope, scaled_bias, None


def _chunks(hidden: Tensor) -> list[tuple[int, int]]:
    size = CHUNK_ROWS.get(hidden.device.type, max(CHUNK_ROWS.values()))
    return [(start, min(start + size, len(hidden))) for start in range(0, len(hidden), size)]
