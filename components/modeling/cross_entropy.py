"""Cross-entropy over a vocabulary without the whole matrix of logits: a chunk of rows at a time, forward and backward.

[rows, vocabulary] logits in float32 and their gradient are the largest tensors of a language model's step. Here each
chunk's logits are turned into its loss and its gradients while they are still in the cache, then dropped (Hsu 2024,
Liger Kernel; Wijmans 2024, Cut Your Losses).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

CHUNK_ROWS = {"cpu": 1024, "cuda": 8192}
"""Rows a chunk: enough that adding up the head's gradient once a chunk costs little."""
EXACT_ROWS = {"cpu": 64, "cuda": 8192}
"""Rows of a chunk that are float32 at a time: on a CPU few enough for the cache."""


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
    for start, end in _chunks(hidden, CHUNK_ROWS):
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
        for start, end in _chunks(hidden, CHUNK_ROWS):
            rows, wanted = hidden[start:end], targets[start:end, None]
            logits = rows @ narrow.T
            for first, last in _chunks(logits, EXACT_ROWS):
                part = logits[first:last].to(exact)
                loss, slope = _loss_and_slope(part if bias is None else part + bias, wanted[first:last])
                total += loss
                if grad_bias is not None:
                    grad_bias += slope.sum(dim=0)
                logits[first:last] = slope
            grad_hidden[start:end] = logits @ narrow
            grad_weight += logits.T @ rows
        ctx.save_for_backward(grad_hidden, grad_weight, grad_bias)
        return total

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None]:
        grad_hidden, grad_weight, grad_bias = ctx.saved_tensors
        (slope,) = slopes
        scaled_bias = None if grad_bias is None else grad_bias * slope
        return grad_hidden * slope.to(grad_hidden.dtype), grad_weight * slope, scaled_bias, None


def _loss_and_slope(logits: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The sum of the rows' losses, and its gradient with respect to their logits."""
    slope = logits.softmax(dim=1)
    # The likeliest token's probability is one over the sum of exponentials: exact even where the target's is 0.
    normaliser = logits.amax(dim=1, keepdim=True) - slope.amax(dim=1, keepdim=True).log()
    loss = (normaliser - logits.gather(1, wanted)).sum()
    slope.scatter_add_(1, wanted, slope.new_full(wanted.shape, -1.0))
    return loss, slope


def _chunks(rows: Tensor, sizes: dict[str, int]) -> list[tuple[int, int]]:
    size = sizes.get(rows.device.type, max(sizes.values()))
    return [(start, min(start + size, len(rows))) for start in range(0, len(rows), size)]
