"""Optimizers: name -> how one is made for a model. Norms and biases never decay."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer
from transformers import PreTrainedModel

from components.modeling.architectures import layers_of
from components.training.config import OptimizerConfig

Groups = list[dict[str, Any]]


class Together(Optimizer):
    """Two optimizers as one: each keeps its own parameter groups and state."""

    def __init__(self, first: Optimizer, second: Optimizer) -> None:
        self.parts = (first, second)
        super().__init__(first.param_groups + second.param_groups, {})
        # The very dicts of the parts, so that a learning rate set here is one set there.
        self.param_groups = first.param_groups + second.param_groups

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss


def adamw(model: PreTrainedModel, config: OptimizerConfig) -> Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused."""
    return AdamW(decay_groups(model.parameters(), config.weight_decay), lr=config.learning_rate, fused=True)


def muon(model: PreTrainedModel, config: OptimizerConfig) -> Optimizer:
    """Muon (Jordan 2024) for the matrices of the layers, AdamW for embeddings, heads, norms and biases.

    Muon's updates are brought to AdamW's size (Liu 2025), so both share one learning rate.
    """
    inside = {id(parameter) for parameter in layers_of(model).parameters() if parameter.ndim == 2}
    matrices = [parameter for parameter in model.parameters() if id(parameter) in inside and parameter.requires_grad]
    rest = [parameter for parameter in model.parameters() if id(parameter) not in inside]
    return Together(
        Muon(
            matrices,
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        AdamW(decay_groups(rest, config.weight_decay), lr=config.learning_rate, fused=True),
    )


OPTIMIZERS: dict[str, Callable[[PreTrainedModel, OptimizerConfig], Optimizer]] = {"adamw": adamw, "muon": muon}


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float) -> Groups:
    """Parameters in two groups: matrices decay; norms and biases, which have one dimension, do not."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def state_of(optimizer: Optimizer, parameter: nn.Parameter) -> dict[str, Tensor]:
    """What an optimizer keeps of a parameter, by name; empty before the first step."""
    for part in _parts(optimizer):
        if parameter in part.state:
            return part.state[parameter]
    return {}


def set_state(optimizer: Optimizer, parameter: nn.Parameter, state: dict[str, Tensor]) -> None:
    """Hand an optimizer what it had kept of a parameter."""
    for part in _parts(optimizer):
        if any(parameter is held for group in part.param_groups for held in group["params"]):
            part.state[parameter] = dict(state)


def _parts(optimizer: Optimizer) -> tuple[Optimizer, ...]:
    return optimizer.parts if isinstance(optimizer, Together) else (optimizer,)
