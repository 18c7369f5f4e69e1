"""What a training minimises, and what a pretraining objective turns windows of tokens into.

An objective turns windows of token ids into a batch (on the CPU, from a generator of its own, so the step alone
decides what is masked), a batch into a loss, and the losses of the validation batches into metrics.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
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


class PretrainingObjective(ABC):
    """One that learns from windows of unlabelled tokens.

    One that is an nn.Module too has weights of its own, such as ELECTRA's generator: they are trained, checkpointed and
    resumed with the model's.
    """

    @abstractmethod
    def cost(self, windows: int, length: int) -> Cost:
        """Of so many windows of this length."""

    @abstractmethod
    def prepare(self, ids: Tensor, generator: torch.Generator, rows: slice) -> Batch:
        """Windows of ids [n, length] -> the batch of some of their rows, the same whatever rows are asked for."""

    @abstractmethod
    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        """As an Objective's."""

    @abstractmethod
    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        """As an Objective's."""

    @abstractmethod
    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        """As an Objective's."""

    def attach(self, model: PreTrainedModel) -> None:  # noqa: B027
        """Make the weights that are trained beside the model's, from torch's global generator, and freeze those of the
        model's that this objective does not train."""

    def start_from(self, weights: Mapping[str, Tensor]) -> list[str]:
        """Go on from weights that a checkpoint has beside its model, by their names inside the backbone. Returns what a
        person should know of it."""
        return []

    def result(self, model: PreTrainedModel) -> PreTrainedModel:
        """The part of the trained model that is kept."""
        return model

    def beside(self) -> dict[str, Tensor]:
        """Weights of its own that are kept with it, by their names inside the backbone."""
        return {}


def starts(ids: Tensor, document_end: int | None) -> Batch:
    """Where the documents begin, for those objectives that keep them apart."""
    return {} if document_end is None else {"starts": starts_of(ids, document_end)}


def documents_apart(model: PreTrainedModel, batch: Batch, causal: bool) -> dict[str, Any]:
    """What a model is given beside a batch's ids so that no document sees another, where they are kept apart."""
    return document_inputs(model.config, batch["starts"], causal) if "starts" in batch else {}


def freeze_heads(model: PreTrainedModel) -> None:
    """Leave a model's heads as they are: an objective that has its own trains the backbone alone."""
    inside = {id(parameter) for parameter in model.base_model.parameters()}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in inside)


def perplexity(losses: Tensor) -> dict[str, float]:
    """Mean negative log-likelihood in nats a token, and its exponential."""
    loss = losses.double().mean().item() if len(losses) else 0.0
    return {"validation_loss": loss, "validation_perplexity": math.exp(min(loss, 700.0))}
