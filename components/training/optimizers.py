"""Optimizers: name -> how one is made for a model. Norms and biases never decay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
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


def adamw(model: PreTrainedModel, config: OptimizerConfig, beside: Iterable[nn.Parameter] = ()) -> Optimizer:
    """AdamW (Loshchilov & Hutter 2019), fused; of the model's weights and of those `beside` it."""
    trained = [*model.parameters(), *beside]
    groups = decay_groups(trained, config.weight_decay, rate_factors(model, config.rate_decay()))
    return AdamW(groups, lr=config.learning_rate, fused=True)


def muon(model: PreTrainedModel, config: OptimizerConfig, beside: Iterable[nn.Parameter] = ()) -> Optimizer:
    """Muon (Jordan 2024) for the matrices of the layers, AdamW for embeddings, heads, norms, biases and the
    weights `beside` the model.

    Muon's updates are brought to AdamW's size (Liu 2025), so both share one learning rate.
    """
    inside = {id(parameter) for parameter in layers_of(model).parameters() if parameter.ndim == 2}
    matrices = [parameter for parameter in model.parameters() if id(parameter) in inside and parameter.requires_grad]
    rest = [parameter for parameter in model.parameters() if id(parameter) not in inside] + [*beside]
    factors = rate_factors(model, config.rate_decay())
    return Together(
        Muon(
            by_rate(matrices, factors),
            lr=config.learning_rate,
            weight_decay=config.weight_decay,
            adjust_lr_fn="match_rms_adamw",
        ),
        AdamW(decay_groups(rest, config.weight_decay, factors), lr=config.learning_rate, fused=True),
    )


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"adamw": adamw, "muon": muon}


Factors = Mapping[int, float]
"""Of parameters, by their ids: their learning rate as a share of the training's. What is not named has all of it."""
SAME: Factors = MappingProxyType({})


def decay_groups(parameters: Iterable[nn.Parameter], weight_decay: float, factors: Factors = SAME) -> Groups:
    """Parameters in two groups: matrices decay; norms and biases, which have one dimension, do not. With factors there
    are two of each rate."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim > 1]
    rest = [parameter for parameter in trained if parameter.ndim <= 1]
    return [
        {**group, "weight_decay": decay}
        for parameters, decay in ((matrices, weight_decay), (rest, 0.0))
        for group in by_rate(parameters, factors)
    ]


def by_rate(parameters: Iterable[nn.Parameter], factors: Factors) -> Groups:
    """Parameters in a group for each factor of the learning rate."""
    if not factors:
        return [{"params": [*parameters]}]
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        groups.setdefault(factors.get(id(parameter), 1.0), []).append(parameter)
    return [{"params": held, "rate_factor": factor} for factor, held in groups.items()]


def rate_factors(model: PreTrainedModel, decay: float) -> dict[int, float]:
    """Layer-wise decay (Howard & Ruder 2018; Clark 2020): `decay` to the power of a parameter's depth below the head.

    The last layer is 1 below it, the embeddings one more than the first; what follows the layers counts as head.
    """
    if decay == 1:
        return {}
    layers = layers_of(model)
    depths = {id(parameter): number for number, layer in enumerate(layers) for parameter in layer.parameters()}
    factors, depth = {}, -1
    for name, parameter in model.base_model.named_parameters():
        # In the order of their definition: embeddings, layers, and whatever follows; BART's halves define embeddings
        # behind layers too.
        depth = depths.get(id(parameter), depth if depth < 0 else len(layers))
        place = -1 if "embed" in name and id(parameter) not in depths else depth
        factors[id(parameter)] = decay ** (len(layers) - place)
    return factors


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
