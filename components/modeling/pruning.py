"""Narrower models: which channels, neurons and attention heads a model misses least, and a copy without them."""

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
from components.modeling.architectures import layers_of

MULTIPLE = 8
"""Widths are divisible by it, as int8 and tensor-core kernels like them."""

Cuts = Mapping[str, tuple[int, int]]
"""Name of a tensor in a layer -> the dimension that is cut, and how many parts alike stand one after another in it."""


@dataclass(frozen=True)
class Units:
    """What of a layer can be taken away: `out` is the linear layer that reads the units, `cuts` all tensors with them.

    `setting`: the name of their number in the config.
    """

    setting: str
    out: str
    cuts: Cuts


NEURONS: dict[str, Units] = {
    # Wi holds what is activated and what gates it, one above the other.
    "modernbert": Units(
        "intermediate_size",
        "mlp.Wo",
        {"mlp.Wi.weight": (0, 2), "mlp.Wi.bias": (0, 2), "mlp.Wo.weight": (1, 1)},
    ),
    "bert": Units(
        "intermediate_size",
        "output.dense",
        {"intermediate.dense.weight": (0, 1), "intermediate.dense.bias": (0, 1), "output.dense.weight": (1, 1)},
    ),
    # Its weights stand the other way round (Conv1D).
    "gpt2": Units(
        "n_inner",
        "mlp.c_proj",
        {"mlp.c_fc.weight": (1, 1), "mlp.c_fc.bias": (0, 1), "mlp.c_proj.weight": (0, 1)},
    ),
    "llama": Units(
        "intermediate_size",
        "mlp.down_proj",
        {
            "mlp.gate_proj.weight": (0, 1),
            "mlp.gate_proj.bias": (0, 1),
            "mlp.up_proj.weight": (0, 1),
            "mlp.up_proj.bias": (0, 1),
            "mlp.down_proj.weight": (1, 1),
        },
    ),
}
"""Model type -> its feed-forward neurons."""

PARTS = ("weight", "bias")

HEADS: dict[str, Units] = {
    "llama": Units(
        "num_attention_heads",
        "self_attn.o_proj",
        {
            **{f"self_attn.{name}_proj.{part}": (0, 1) for name in "qkv" for part in PARTS},
            "self_attn.o_proj.weight": (1, 1),
        },
    ),
    "modernbert": Units(
        "num_attention_heads",
        "attn.Wo",
        {"attn.Wqkv.weight": (0, 3), "attn.Wqkv.bias": (0, 3), "attn.Wo.weight": (1, 1)},
    ),
    "bert": Units(
        "num_attention_heads",
        "attention.output.dense",
        {
            **{f"attention.self.{name}.{part}": (0, 1) for name in ("query", "key", "value") for part in PARTS},
            "attention.output.dense.weight": (1, 1),
        },
    ),
    "gpt2": Units(
        "num_attention_heads",
        "attn.c_proj",
        {"attn.c_attn.weight": (1, 3), "attn.c_attn.bias": (0, 3), "attn.c_proj.weight": (0, 1)},
    ),
}
"""Model type -> its attention heads."""

UNTIED = ("llama",)
"""Model types whose heads need not fill the width: the others' heads go with the channels, and only so."""

CHANNELS = Units("hidden_size", "", {})
"""The numbers of a token between the layers. Read by a layer as a whole; wherever the narrower model has less of
something that is neither a neuron nor a head, it is of these."""


@dataclass(frozen=True)
class Sizes:
    """Channels of a model, neurons and heads of each of its layers."""

    width: int
    neurons: int
    heads: int

    @classmethod
    def of(cls, config: PreTrainedConfig) -> Sizes:
        """A model as it is."""
        neurons = getattr(config, NEURONS[config.model_type].setting) or 4 * config.hidden_size  # None in GPT-2
        return cls(config.hidden_size, neurons, config.num_attention_heads)


@dataclass(frozen=True)
class Kept:
    """For each layer of the teacher the neurons and the heads that stay, and the channels of all layers, in their
    order; None: all of them."""

    neurons: list[Tensor] | None = None
    heads: list[Tensor] | None = None
    channels: Tensor | None = None

    def sizes(self, config: PreTrainedConfig) -> Sizes:
        """Those of what stays of a model."""
        whole = Sizes.of(config)
        return Sizes(
            whole.width if self.channels is None else len(self.channels),
            whole.neurons if self.neurons is None else len(self.neurons[0]),
            whole.heads if self.heads is None else len(self.heads[0]),
        )


def narrower(config: PreTrainedConfig, width: float, ffn: float, heads: float) -> Sizes:
    """Shares of a model's channels, neurons and heads, rounded up to what its config can have.

    Neurons to a multiple of MULTIPLE. Channels to what whole heads fill; where heads have a size of their own, to a
    multiple of their number, and that to one that divides the width. Raises ParameterError where heads cannot go.
    """
    _check_heads(config, heads)
    whole = Sizes.of(config)
    neurons = min(whole.neurons, _multiple(whole.neurons * ffn, MULTIPLE))
    if config.model_type not in UNTIED:
        left = math.ceil(whole.heads * width)
        return Sizes(whole.width // whole.heads * left, neurons, left)
    least = math.ceil(whole.heads * heads)
    left = next(count for count in range(least, whole.heads + 1) if whole.width % count == 0)
    return Sizes(min(whole.width, _multiple(whole.width * width, math.lcm(MULTIPLE, left))), neurons, left)


def _multiple(least: float, unit: int) -> int:
    return math.ceil(least / unit) * unit


def _check_heads(config: PreTrainedConfig, fraction: float) -> None:
    if fraction == 1:
        return
    if config.model_type not in UNTIED:
        raise ParameterError(
            f"distill.head_fraction {fraction:g}: a {config.model_type} has as many heads as fill its width",
            "set it to 1.0 and lower distill.width_fraction, which takes heads along, or distill.ffn_fraction",
        )
    if config.num_key_value_heads != config.num_attention_heads:
        raise ParameterError(
            f"distill.head_fraction {fraction:g}: heads that share keys cannot be taken away one by one",
            "set it to 1.0 and lower distill.width_fraction or distill.ffn_fraction",
        )


def most_important(model: PreTrainedModel, losses: Callable[[PreTrainedModel], Iterable[Tensor]], left: Sizes) -> Kept:
    """As many channels, and neurons and heads of each layer, as are to be left: those that the losses would miss most.

    `losses`: the sum of the rows' losses, of one batch after another.
    """
    kind, whole = model.config.model_type, Sizes.of(model.config)
    groups = {}
    if left.width < whole.width:
        groups["channels"] = CHANNELS, 1
    if left.neurons < whole.neurons:
        groups["neurons"] = NEURONS[kind], 1
    if left.heads < whole.heads:
        groups["heads"] = HEADS[kind], _head_size(model.config)
    if not groups:
        return Kept()
    scores = dict(zip(groups, importance(model, losses, list(groups.values())), strict=True))
    return Kept(
        neurons=[best(score, left.neurons) for score in scores["neurons"]] if "neurons" in scores else None,
        heads=[best(score, left.heads) for score in scores["heads"]] if "heads" in scores else None,
        channels=best(torch.stack(scores["channels"]).sum(dim=0), left.width) if "channels" in scores else None,
    )


def _head_size(config: PreTrainedConfig) -> int:
    return getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads


def best(scores: Tensor, count: int) -> Tensor:
    """The places of the highest scores, in their order; of equal ones the first."""
    return scores.sort(descending=True, stable=True).indices[:count].sort().values


def importance(
    model: PreTrainedModel, losses: Callable[[PreTrainedModel], Iterable[Tensor]], groups: list[tuple[Units, int]]
) -> list[list[Tensor]]:
    """First-order guess of what each row's loss changes by without a unit, its mean size over the rows [units].

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


def narrow_config(config: PreTrainedConfig, left: Sizes) -> None:
    """Write the new sizes into a config."""
    setattr(config, NEURONS[config.model_type].setting, left.neurons)
    if config.model_type in UNTIED and left.heads < config.num_attention_heads:
        config.num_key_value_heads = left.heads
    config.hidden_size, config.num_attention_heads = left.width, left.heads


def narrow_weights(
    config: PreTrainedConfig, weights: Mapping[str, Tensor], kept: Kept, layer: int
) -> dict[str, Tensor]:
    """A layer's tensors without the neurons and heads that go. `config`: the teacher's."""
    narrowed = dict(weights)
    if kept.neurons is not None:
        narrowed = _without(narrowed, NEURONS[config.model_type].cuts, kept.neurons[layer], 1)
    if kept.heads is not None:
        narrowed = _without(narrowed, HEADS[config.model_type].cuts, kept.heads[layer], _head_size(config))
    return narrowed


def fit_channels(weights: Mapping[str, Tensor], module: nn.Module, kept: Kept) -> dict[str, Tensor]:
    """Tensors with the kept channels alone along each dimension in which a module's tensor of that name has fewer."""
    shapes = {name: tensor.shape for name, tensor in module.state_dict().items()}
    return {
        name: _fitted(tensor, shapes[name], kept.channels) if name in shapes else tensor
        for name, tensor in weights.items()
    }


def _fitted(tensor: Tensor, shape: torch.Size, channels: Tensor | None) -> Tensor:
    for dimension, (whole, left) in enumerate(zip(tensor.shape, shape, strict=True)):
        if whole != left and channels is not None:
            tensor = tensor.index_select(dimension, channels)
    return tensor


def _without(weights: dict[str, Tensor], cuts: Cuts, kept: Tensor, size: int) -> dict[str, Tensor]:
    """Each cut tensor seen as [parts, units, size] along its dimension, with the kept units alone."""
    for name, (dimension, parts) in cuts.items():
        if name in weights:
            units = weights[name].unflatten(dimension, (parts, -1, size))
            weights[name] = units.index_select(dimension + 1, kept).flatten(dimension, dimension + 2)
    return weights
