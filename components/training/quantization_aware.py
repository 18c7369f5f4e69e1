"""Training with the rounding of int8 in the forward pass, so that the weights learn to bear it (Jacob 2018)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from components.errors import ParameterError
from components.modeling.objectives.objective import Batch, Objective
from components.training.config import TrainerConfig

SMALLEST = torch.finfo(torch.float32).tiny
"""Of a scale: what is all zeros stays so."""


@dataclass(frozen=True)
class QuantizationAware:
    """Another objective, minimised with rounding from `first_step` on, and always validated with it.

    So the best epoch is the one that is best in int8. Nothing is kept from step to step: a resumed training needs no
    more than the step's number to go on as it would have.
    """

    objective: Objective
    first_step: int

    def loss(self, model: PreTrainedModel, batch: Batch) -> Tensor:
        if batch["step"] < self.first_step:
            return self.objective.loss(model, batch)
        with rounded(model):
            return self.objective.loss(model, batch)

    def score(self, model: PreTrainedModel, batch: Batch) -> tuple[Tensor, ...]:
        with rounded(model):
            return self.objective.score(model, batch)

    def summary(self, scores: Sequence[tuple[Tensor, ...]]) -> dict[str, float]:
        return self.objective.summary(scores)


def quantization_aware(objective: Objective, share: float, steps: int, trainer: TrainerConfig) -> Objective:
    """The objective with rounding in the last `share` of the steps; as it is where that is none.

    Raises ParameterError as `check_rounding` does.
    """
    if share == 0:
        return objective
    check_rounding(share, trainer)
    return QuantizationAware(objective, steps - round(steps * share))


def check_rounding(share: float, trainer: TrainerConfig) -> None:
    """Raise ParameterError where the forward pass is compiled or done twice: neither would see the rounding."""
    if share == 0:
        return
    for name in ("compile", "checkpoint_activations"):
        if getattr(trainer, name):
            raise ParameterError(
                f"distill.quantization_aware {share:g} does not go with trainer.{name}",
                f"set trainer.{name} to false, or distill.quantization_aware to 0",
            )


@contextmanager
def rounded(model: nn.Module) -> Iterator[None]:
    """Have every linear layer and embedding compute with rounded weights, linear layers from rounded inputs.

    Gradients pass as if nothing was rounded (Bengio 2013). A model's parameters stay as they are.
    """
    replaced = [
        (module, forward) for module in model.modules() for kind, forward in FORWARDS.items() if type(module) is kind
    ]
    for module, forward in replaced:
        module.forward = partial(forward, module)
    try:
        yield
    finally:
        for module, _ in replaced:
            del module.forward  # the class has its own


def _linear(module: nn.Linear, inputs: Tensor) -> Tensor:
    return linear(rounded_activations(inputs), rounded_weight(module.weight), module.bias)


def _conv1d(module: Conv1D, inputs: Tensor) -> Tensor:
    """GPT-2's linear layer, whose weight stands the other way round."""
    return linear(rounded_activations(inputs), rounded_weight(module.weight.T), module.bias)


def _embedding(module: nn.Embedding, ids: Tensor) -> Tensor:
    return nn.functional.embedding(ids, rounded_activations(module.weight), module.padding_idx)


FORWARDS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Linear: _linear,
    Conv1D: _conv1d,
    nn.Embedding: _embedding,
}
"""Kind of module -> its forward pass in int8."""


def rounded_weight(weight: Tensor) -> Tensor:
    """A weight [out, in] as int8 would hold it: symmetric, a scale for each output."""
    scale = (weight.detach().float().abs().amax(dim=1) / 127).clamp(min=SMALLEST)
    zero = torch.zeros_like(scale, dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight.float(), scale, zero, 0, -127, 127)


def rounded_activations(values: Tensor) -> Tensor:
    """A tensor as eight bits would hold it: one scale and zero point, from its own least and largest value."""
    values = values.float()
    low, high = values.detach().aminmax()
    low, high = low.clamp(max=0), high.clamp(min=0)
    scale = ((high - low) / 255).clamp(min=SMALLEST)
    zero = (-low / scale).round().to(torch.int32)
    return torch.fake_quantize_per_tensor_affine(values, scale, zero, 0, 255)
