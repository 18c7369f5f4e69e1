"""Structured pruning: channels, neurons and attention heads by importance, and weights without the pruned ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from components.errors import ParameterError
from components.modeling.architectures import architecture, architecture_of, layers_of
from components.modeling.architectures.architecture import PrunableUnits, Slices
from components.modeling.kinds import ARCHITECTURES

MULTIPLE = 8
"""Widths are multiples of it, which int8 and tensor-core kernels need to be fast."""

CHANNELS = PrunableUnits("hidden_size", "", {})
"""The hidden_size dimension. A pruned tensor is smaller in it wherever the dimension is neither neurons nor heads."""


@dataclass(frozen=True)
class ModelSizes:
    """Channels of a model; neurons and heads of each layer."""

    width: int
    neurons: int
    heads: int

    @classmethod
    def of(cls, config: PreTrainedConfig) -> ModelSizes:
        """The sizes of a model; 0 neurons where its architecture has no prunable ones."""
        units = architecture_of(config).neurons
        neurons = 0 if units is None else getattr(config, units.setting) or 4 * config.hidden_size  # None in GPT-2
        return cls(config.hidden_size, neurons, config.num_attention_heads)


@dataclass(frozen=True)
class KeptUnits:
    """Indices of the neurons and heads kept in each layer of the teacher, and of the channels; None keeps all."""

    neurons: list[Tensor] | None = None
    heads: list[Tensor] | None = None
    channels: Tensor | None = None

    def sizes(self, config: PreTrainedConfig) -> ModelSizes:
        """The sizes of the pruned model."""
        whole = ModelSizes.of(config)
        return ModelSizes(
            whole.width if self.channels is None else len(self.channels),
            whole.neurons if self.neurons is None else len(self.neurons[0]),
            whole.heads if self.heads is None else len(self.heads[0]),
        )


def pruned_sizes(config: PreTrainedConfig, width: float, ffn: float, heads: float) -> ModelSizes:
    """The sizes for these shares of a model's channels, neurons and heads, rounded up to what its config allows.

    Neurons to a multiple of MULTIPLE. Channels to what whole heads fill; where heads have a size of their own, to a
    multiple of their number, and that to one that divides the width. Raises ParameterError where that cannot be.
    """
    whole = ModelSizes.of(config)
    if width == ffn == heads == 1:
        return whole
    _check_known(config, width, ffn)
    _check_heads(config, heads)
    neurons = min(whole.neurons, _multiple(whole.neurons * ffn, MULTIPLE))
    if not architecture_of(config).independent_heads:
        kept_heads = math.ceil(whole.heads * width)
        head_dim = whole.width // whole.heads
        if getattr(config, "embedding_size", whole.width) == head_dim * kept_heads < whole.width:
            kept_heads += 1  # ELECTRA's layers are not to lose the projection between them and the embeddings
        return ModelSizes(head_dim * kept_heads, neurons, kept_heads)
    least = math.ceil(whole.heads * heads)
    kept_heads = next(count for count in range(least, whole.heads + 1) if whole.width % count == 0)
    return ModelSizes(
        min(whole.width, _multiple(whole.width * width, math.lcm(MULTIPLE, kept_heads))), neurons, kept_heads
    )


def _multiple(least: float, unit: int) -> int:
    return math.ceil(least / unit) * unit


def _check_known(config: PreTrainedConfig, width: float, ffn: float) -> None:
    entry = architecture_of(config)
    for name, fraction, part in (("ffn", ffn, "neurons"), ("width", width, "heads")):
        if fraction < 1 and getattr(entry, part) is None:
            known = sorted(one for one in ARCHITECTURES if getattr(architecture(one), part) is not None)
            raise ParameterError(
                f"distill.{name}_fraction {fraction:g}: a {config.model_type} cannot be made narrower in this way",
                f"set distill.{name}_fraction to 1.0; this works with {', '.join(known)}",
            )


def _check_heads(config: PreTrainedConfig, fraction: float) -> None:
    if fraction == 1:
        return
    if not architecture_of(config).independent_heads:
        raise ParameterError(
            f"distill.head_fraction {fraction:g}: a {config.model_type} has as many heads as fill its width",
            "set it to 1.0 and lower distill.width_fraction, which takes heads along, or distill.ffn_fraction",
        )
    if config.num_key_value_heads != config.num_attention_heads:
        raise ParameterError(
            f"distill.head_fraction {fraction:g}: heads that share keys cannot be taken away one by one",
            "set it to 1.0 and lower distill.width_fraction or distill.ffn_fraction",
        )


def select_units(
    model: PreTrainedModel, losses: Callable[[PreTrainedModel], Iterable[Tensor]], sizes: ModelSizes
) -> KeptUnits:
    """The most important channels, and neurons and heads of each layer, as many as `sizes` says.

    `losses`: the sum of the rows' losses, of one batch after another.
    """
    entry, whole = architecture_of(model.config), ModelSizes.of(model.config)
    groups: dict[str, tuple[PrunableUnits, int]] = {}
    if sizes.width < whole.width:
        groups["channels"] = CHANNELS, 1
    if sizes.neurons < whole.neurons and entry.neurons is not None:
        groups["neurons"] = entry.neurons, 1
    if sizes.heads < whole.heads and entry.heads is not None:
        groups["heads"] = entry.heads, _head_size(model.config)
    if not groups:
        return KeptUnits()
    scores = dict(zip(groups, importance(model, losses, list(groups.values())), strict=True))
    return KeptUnits(
        neurons=[best(score, sizes.neurons) for score in scores["neurons"]] if "neurons" in scores else None,
        heads=[best(score, sizes.heads) for score in scores["heads"]] if "heads" in scores else None,
        channels=best(torch.stack(scores["channels"]).sum(dim=0), sizes.width) if "channels" in scores else None,
    )


def _head_size(config: PreTrainedConfig) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def best(scores: Tensor, count: int) -> Tensor:
    """Indices of the `count` highest scores, ascending; the first of equal ones."""
    return scores.sort(descending=True, stable=True).indices[:count].sort().values


def importance(
    model: PreTrainedModel,
    losses: Callable[[PreTrainedModel], Iterable[Tensor]],
    groups: list[tuple[PrunableUnits, int]],
) -> list[list[Tensor]]:
    """First-order estimate of how much each row's loss changes without a unit, summed over the rows [units].

    |sum over positions of activation x gradient| (Molchanov 2017; of heads Michel 2019), for each group of units, a
    unit `size` numbers wide, and each layer.
    """
    seen: dict[tuple[int, int], Tensor] = {}
    totals: dict[tuple[int, int], Tensor] = {}
    hooks = []
    for group, (units, _) in enumerate(groups):
        for place, layer in enumerate(layers_of(model)):
            remember = partial(_remember, seen, (group, place))
            hooks.append(layer.get_submodule(units.out).register_forward_pre_hook(remember))
    for loss in losses(model):
        model.zero_grad()
        loss.backward()
        for key, activation in seen.items():
            assert activation.grad is not None
            product = (activation.detach() * activation.grad).unflatten(-1, (-1, groups[key[0]][1]))
            score = product.sum(dim=(1, 3)).abs().sum(dim=0)
            totals[key] = totals.get(key, torch.zeros_like(score)) + score
    for hook in hooks:
        hook.remove()
    model.zero_grad()
    return [[totals[group, place] for place in range(len(layers_of(model)))] for group in range(len(groups))]


def _remember(seen: dict[tuple[int, int], Tensor], key: tuple[int, int], module: nn.Module, inputs: Any) -> None:
    inputs[0].retain_grad()
    seen[key] = inputs[0]


def narrow_config(config: PreTrainedConfig, sizes: ModelSizes) -> None:
    """Set the pruned sizes in a config."""
    if sizes == ModelSizes.of(config):
        return
    entry = architecture_of(config)
    if entry.neurons is not None:
        setattr(config, entry.neurons.setting, sizes.neurons)
    if entry.independent_heads:
        config.head_dim = _head_size(config)  # Qwen2 works it out from a width that is about to change
        if sizes.heads < config.num_attention_heads:
            config.num_key_value_heads = sizes.heads
    if getattr(config, "embedding_size", None) == config.hidden_size:
        config.embedding_size = sizes.width  # ELECTRA's, between which and the layers there would be a new projection
    config.hidden_size, config.num_attention_heads = sizes.width, sizes.heads


def narrow_weights(
    config: PreTrainedConfig, weights: Mapping[str, Tensor], kept: KeptUnits, layer: int
) -> dict[str, Tensor]:
    """A layer's tensors without the pruned neurons and heads. `config`: the teacher's."""
    entry, narrowed = architecture_of(config), dict(weights)
    if kept.neurons is not None and entry.neurons is not None:
        narrowed = _without(narrowed, entry.neurons.slices, kept.neurons[layer], 1)
    if kept.heads is not None and entry.heads is not None:
        narrowed = _without(narrowed, entry.heads.slices, kept.heads[layer], _head_size(config))
    return narrowed


def fit_channels(weights: Mapping[str, Tensor], module: nn.Module, kept: KeptUnits) -> dict[str, Tensor]:
    """Keep only the kept channels along each dimension in which the module's tensor of that name is smaller."""
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    return {
        name: _fitted(tensor, shapes[name], kept.channels) if name in shapes else tensor
        for name, tensor in weights.items()
    }


def _fitted(tensor: Tensor, shape: torch.Size, channels: Tensor | None) -> Tensor:
    for dimension, (whole, small) in enumerate(zip(tensor.shape, shape, strict=True)):
        if whole != small and channels is not None:
            tensor = tensor.index_select(dimension, channels)
    return tensor


def _without(weights: dict[str, Tensor], slices: Slices, kept: Tensor, size: int) -> dict[str, Tensor]:
    """Each cut tensor seen as [parts, units, size] along its dimension, with the kept units alone."""
    for name, (dimension, parts) in slices.items():
        if name in weights:
            units = weights[name].unflatten(dimension, (parts, -1, size))
            weights[name] = units.index_select(dimension + 1, kept).flatten(dimension, dimension + 2)
    return weights
