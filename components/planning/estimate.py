"""Arithmetic of a training before it runs: parameters, FLOPs, memory, disk. Sizes in bytes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn
from transformers import PreTrainedModel

from components.modeling.architectures import layers_of
from components.training.store import KEPT_CHECKPOINTS

NUMBER = 4
"""Bytes of a weight, a gradient or a moment: all are kept in float32, whatever the precision of the products."""

LAYER_ACTIVATIONS = 34
"""Bytes in 16 bits that a layer keeps for its backward pass, a token and a unit of width (Korthikanti 2022, eq. 1,
without the attention scores, which fused attention never writes down)."""

LIBRARIES = 700_000_000
"""The approximate memory of Python and the libraries without a model."""


@dataclass(frozen=True)
class Shape:
    """The numbers of a transformer that the formulas need.

    `inside`: parameters that are neither embeddings nor a vocabulary head; `in_layers`: parameters of the layers;
    `matrices`: parameters of the layers in two-dimensional tensors that are trained. `frozen`: parameters that are not,
    and `frozen_inside`, those of them that are `inside`; `skipped`: those that no gradient goes through.
    """

    layers: int
    width: int
    vocabulary: int
    parameters: int
    inside: int
    in_layers: int
    matrices: int
    frozen: int = 0
    frozen_inside: int = 0
    skipped: int = 0

    @property
    def trained(self) -> int:
        """Parameters with gradients."""
        return self.parameters - self.frozen


@dataclass(frozen=True)
class Memory:
    """Peak memory of a training: a fixed part, and a part that grows with the batch."""

    fixed: int
    """Libraries, weights, gradients, optimizer: independent of the batch."""
    activations: int
    """Of one micro-batch."""

    @property
    def total(self) -> int:
        return self.fixed + self.activations


def shape_of(model: PreTrainedModel) -> Shape:
    """The shape of a model, which may be on the `meta` device and take no memory."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    head = model.get_output_embeddings()
    if head is not None:
        embeddings.add(id(head.weight))
    layers = layers_of(model)
    frozen = [weight for weight in model.parameters() if not weight.requires_grad]
    inside = sum(weight.numel() for weight in frozen if id(weight) not in embeddings)
    return Shape(
        layers=len(layers),
        width=model.config.hidden_size,
        vocabulary=model.config.vocab_size,
        parameters=sum(weight.numel() for weight in model.parameters()),
        inside=sum(weight.numel() for weight in model.parameters() if id(weight) not in embeddings),
        in_layers=sum(weight.numel() for weight in layers.parameters()),
        matrices=sum(weight.numel() for weight in layers.parameters() if weight.ndim == 2 and weight.requires_grad),
        frozen=sum(weight.numel() for weight in frozen),
        frozen_inside=inside,
        skipped=0 if any(weight.requires_grad for weight in layers.parameters()) else inside,
    )


def training_flops(shape: Shape, tokens: int, length: float, predicted: int) -> float:
    """Forward and backward over `tokens` in windows of `length`, `predicted` of them through the vocabulary head.

    6 FLOPs a parameter and token (Kaplan 2020): two forward, two for the gradient that goes on to the layer below, two
    for the parameter's own, which a frozen one has not. 12 x layers x width x length a token for attention (Chowdhery
    2022, PaLM, appendix B). Recomputed activations are not counted.
    """
    attention = 12 * shape.layers * shape.width * length
    backward = 2.0 * (shape.inside - shape.skipped) + 2.0 * (shape.inside - shape.frozen_inside)
    return (2.0 * shape.inside + backward + attention) * tokens + 6.0 * shape.width * shape.vocabulary * predicted


def reading_flops(shape: Shape, tokens: int, length: float) -> float:
    """Forward alone, without a vocabulary head: a third of training."""
    return training_flops(replace(shape, frozen_inside=0, skipped=0), tokens, length, 0) / 3


def memory(
    shape: Shape, rows: int, length: int, *, narrow: bool, recomputed: bool, optimizer: str, others: int
) -> Memory:
    """The approximate peak memory of a training whose micro-batch has `rows` of `length` tokens.

    `narrow`: activations in 16 bits; `recomputed`: only the input of each layer is kept; `others`: parameters of models
    in inference only, such as the teacher of a distillation.
    """
    state = optimizer_numbers(shape, optimizer)
    numbers = shape.parameters + shape.trained + state + others
    unit = rows * length * shape.width * (1 if narrow else 2)
    kept = (2 * shape.layers + LAYER_ACTIVATIONS) if recomputed else LAYER_ACTIVATIONS * shape.layers
    return Memory(LIBRARIES + NUMBER * numbers, unit * kept)


def optimizer_numbers(shape: Shape, optimizer: str) -> int:
    """The number of values in the optimizer's state: two for each trained parameter with AdamW, one for the matrices
    under Muon.
    """
    return 2 * shape.trained - (shape.matrices if optimizer == "muon" else 0)


def checkpoint_bytes(shape: Shape, optimizer: str, *, averaged: bool, best: bool) -> int:
    """The bytes of a checkpoint: weights, the optimizer's state, and the averaged and the best weights if any."""
    weights = (1 + best) * shape.parameters + averaged * shape.trained
    return NUMBER * (weights + optimizer_numbers(shape, optimizer))


def disk_bytes(checkpoint: int, results: int) -> int:
    """The disk space of a running stage: the kept checkpoints and one being written, and its results.

    Results count twice: DVC keeps a copy in its cache.
    """
    return (KEPT_CHECKPOINTS + 1) * checkpoint + 2 * results
