"""What the hardware could do: matrix products as fast as they get here, and how many a training step needs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def gemm_flops(dtype: torch.dtype, device: str, sizes: tuple[int, ...], repeats: int = 20) -> float:
    """Floating-point operations a second of square matrix products: the fastest one over sizes and both layouts.

    The fastest, for a peak is what is possible: whatever else runs meanwhile only slows a product down.
    """
    best = 0.0
    for size in sizes:
        left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        for product in (_product(left, right), _product(left, right.T)):
            best = max(best, 2 * size**3 / min(_seconds(product, device, repeats)))
    return best


def gemm_flops_at(shapes: Sequence[tuple[int, int, int]], dtype: torch.dtype, device: str, repeats: int = 10) -> float:
    """Floating-point operations a second of the products that a training step makes of its linear layers, one by one.

    `shapes`: rows, inputs and outputs of each layer. Three products a layer: the answer, the gradient of what it was
    given, the gradient of its weights.
    """
    spent = operations = 0.0
    for (rows, inputs, outputs), layers in Counter(shapes).items():
        given, weights, gradient = (
            torch.randn(*size, device=device).to(dtype) for size in ((rows, inputs), (inputs, outputs), (rows, outputs))
        )
        for product in (_product(given, weights), _product(gradient, weights.T), _product(given.T, gradient)):
            spent += layers * min(_seconds(product, device, repeats))
            operations += layers * 2.0 * rows * inputs * outputs
    return operations / spent


def _product(left: Tensor, right: Tensor) -> Callable[[], Tensor]:
    return lambda: left @ right


def _seconds(work: Callable[[], Tensor], device: str, repeats: int) -> list[float]:
    spent = []
    for number in range(repeats + 2):
        began = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        if number >= 2:
            spent.append(time.perf_counter() - began)
    return spent


def step_flops(model: nn.Module, layers: int, width: int, tokens: int, length: int, head: int, predicted: int) -> float:
    """Operations of one training step (Chowdhery 2022, PaLM, appendix B).

    Six a matrix weight and token; attention 12 x layers x width x length a token, whether causal or not. The `head`
    weights of the vocabulary count only for the `predicted` positions, and embeddings, which are looked up, not at all.
    """
    embedded = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    # GPT-2's head is its embedding: tied weights are counted as the head, below.
    matrices = sum(weight.numel() for weight in model.parameters() if weight.ndim == 2 and id(weight) not in embedded)
    return 6.0 * (matrices * tokens + head * predicted) + 12.0 * layers * width * length * tokens
