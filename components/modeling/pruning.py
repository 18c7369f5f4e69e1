"""Narrower layers: which feed-forward neurons and attention heads a model misses least, and a copy without them."""

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

HEADS: dict[str, Units] = {
    "llama": Units(
        "num_attention_heads",
        "self_attn.o_proj",
        {
            **{f"self_attn.{name}_proj.{part}": (0, 1) for name in "qkv" for part in ("weight", "bias")},
            "self_attn.o_proj.weight": (1, 1),
        },
    ),
}
"""Model type -> its attention heads. The others' configs tie the width of attention to that of the model."""


@dataclass(frozen=True)
class Kept:
    """For each layer of the teacher the neurons and the heads that stay, in their order; None: all of them."""

    neurons: list[Tensor] | None
    heads: list[Tensor] | None


def check_heads(model: PreTrainedModel, fraction: float) -> None:
    """Raise ParameterError where heads are to go from a model that cannot do with fewer."""
    config = model.config
    if fraction == 1:
        return
    if config.model_type not in HEADS:
        raise ParameterError(
            f"distill.head_fraction {fraction:g}: a {config.model_type} has as many heads as fill its width",
            f"set it to 1.0 and lower distill.ffn_fraction, or set model.architecture to {' or '.join(HEADS)}",
        )
    if config.num_key_value_heads != config.num_attention_heads:
        raise ParameterError(
            f"distill.head_fraction {fraction:g}: heads that share keys cannot be taken away one by one",
            "set it to 1.0 and lower distill.ffn_fraction",
        )


def most_important(
    model: PreTrainedModel, losses: Callable[[PreTrainedModel], Iterable[Tensor]], ffn: float, heads: float
) -> Kept:
    """The shares `ffn` and `heads` of each layer's units that the losses would miss most, at least one of each.

    `losses`: the sum of the rows' losses, of one batch after another.
    """
    if ffn == heads == 1:
        return Kept(None, None)
    check_heads(model, heads)
    config = model.config
    groups: list[tuple[Units, int]] = []
    if ffn < 1:
        groups.append((NEURONS[config.model_type], 1))
    if heads < 1:
        groups.append((HEADS[config.model_type], config.head_dim))
    scores = importance(model, losses, groups)
    neurons = [best(score, width(len(score), ffn)) for score in scores.pop(0)] if ffn < 1 else None
    return Kept(neurons, [best(score, head_count(config, heads)) for score in scores[0]] if heads < 1 else None)


def width(whole: int, fraction: float) -> int:
    """A share of the neurons, rounded up to a multiple of MULTIPLE where there are so many."""
    return min(whole, math.ceil(whole * fraction / MULTIPLE) * MULTIPLE)


def head_count(config: PreTrainedConfig, fraction: float) -> int:
    """A share of the heads, rounded up to a number that divides the model's width, as configs demand."""
    whole: int = config.num_attention_heads
    least = math.ceil(whole * fraction)
    return next(count for count in range(least, whole + 1) if config.hidden_size % count == 0)


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


def narrow_config(config: PreTrainedConfig, kept: Kept) -> None:
    """Write the new numbers of units into a config."""
    if kept.neurons is not None:
        setattr(config, NEURONS[config.model_type].setting, len(kept.neurons[0]))
    if kept.heads is not None:
        config.num_attention_heads = config.num_key_value_heads = len(kept.heads[0])


def narrow_weights(
    config: PreTrainedConfig, weights: Mapping[str, Tensor], kept: Kept, layer: int
) -> dict[str, Tensor]:
    """A layer's tensors without the units that go. `config`: of either width."""
    narrowed = dict(weights)
    if kept.neurons is not None:
        narrowed = _without(narrowed, NEURONS[config.model_type].cuts, kept.neurons[layer], 1)
    if kept.heads is not None:
        narrowed = _without(narrowed, HEADS[config.model_type].cuts, kept.heads[layer], config.head_dim)
    return narrowed


def _without(weights: dict[str, Tensor], cuts: Cuts, kept: Tensor, size: int) -> dict[str, Tensor]:
    """Each cut tensor seen as [parts, units, size] along its dimension, with the kept units alone."""
    for name, (dimension, parts) in cuts.items():
        if name in weights:
            units = weights[name].unflatten(dimension, (parts, -1, size))
            weights[name] = units.index_select(dimension + 1, kept).flatten(dimension, dimension + 2)
    return weights
