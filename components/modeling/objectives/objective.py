"""What a training minimises, and what a pretraining objective turns windows of tokens into.

An objective turns windows of token ids into a batch (on the CPU, from a generator of its own, so the step alone
decides what is masked), a batch into a loss, and the losses of the validation batches into metrics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from components.modeling.packing import document_inputs, starts_of

Batch = dict[str, Any]
"""A part of a step's global batch: tensors by name, and two ints known without asking the device.

`tokens`: input tokens of the whole global batch. `count`: what its losses are summed over, likewise: a part's loss is
a sum divided by it, so the parts' losses add up to the same number however the batch was divided.
"""

WHOLE = slice(None)
"""All rows of a batch: what is not divided."""


@dataclass(frozen=True)
class Cost:
    """What a model has to do for some windows: `rows` of `length` tokens each to read, and about how many positions go
    through the vocabulary head."""

    rows: int
    length: int
    head_positions: int

    @property
    def tokens(self) -> int:
        """Tokens the model reads."""
        return self.rows * self.length


class Objective(Protocol):
    """What a training minimises, and how it is validated."""

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """The part's share of the scalar to minimise: its sum over `batch["count"]`."""

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """What `summary` needs to know of one validation batch."""

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """Metrics of the whole validation split, among them `validation_loss`."""


class PretrainingObjective(Objective, Protocol):
    """One that learns from windows of unlabelled tokens."""

    def cost(self, windows: int, length: int) -> Cost:
        """Of so many windows of this length."""

    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> the batch of some of their rows, the same whatever rows are asked for."""


def starts(ids: Tensor, document_end: int | None) -> Batch:
    """Where the documents begin, for those objectives that keep them apart."""
    return {} if document_end is None else {"starts": starts_of(ids, document_end)}


def documents_apart(model: PreTrainedModel, batch: Batch, causal: bool) -> dict[str, Any]:
    """What a model is given beside a batch's ids so that no document sees another, where they are kept apart."""
    return document_inputs(model.config, batch["starts"], causal) if "starts" in batch else {}


def perplexity(losses: Tensor) -> dict[str, float]:
    """Mean negative log-likelihood in nats a token, and its exponential."""
    loss = losses.double().mean().item() if len(losses) else 0.0
    return {"validation_loss": loss, "validation_perplexity": math.exp(min(loss, 700.0))}
