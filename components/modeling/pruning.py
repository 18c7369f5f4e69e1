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


PARTS = ("weight", "bias")


def _cut(names: str, dimension: int, parts: int = 1) -> Cuts:
    """Weight and bias of linear layers that lose outputs along a dimension of the weight."""
    return {f"{name}.{part}": (dimension if part == "weight" else 0, parts) for name in names.split() for part in PARTS}


BERT_NEURONS = Units(
    "intermediate_size", "output.dense", {**_cut("intermediate.dense", 0), "output.dense.weight": (1, 1)}
)
GATED_NEURONS = Units(
    "intermediate_size", "mlp.down_proj", {**_cut("mlp.gate_proj mlp.up_proj", 0), "mlp.down_proj.weight": (1, 1)}
)
NEURONS: dict[str, Units] = {
    # Wi holds what is activated and what gates it, one above the other.
    "modernbert": Units("intermediate_size", "mlp.Wo", {**_cut("mlp.Wi", 0, 2), "mlp.Wo.weight": (1, 1)}),
    "bert": BERT_NEURONS,
    "roberta": BERT_NEURONS,
    "xlm-roberta": BERT_NEURONS,
    "mpnet": BERT_NEURONS,
    "distilbert": Units("hidden_dim", "ffn.lin2", {**_cut("ffn.lin1", 0), "ffn.lin2.weight": (1, 1)}),
    # Its weights stand the other way round (Conv1D).
    "gpt2": Units("n_inner", "mlp.c_proj", {**_cut("mlp.c_fc", 1), "mlp.c_proj.weight": (0, 1)}),
    "llama": GATED_NEURONS,
    "qwen2": GATED_NEURONS,
    "qwen3": GATED_NEURONS,
}
"""Model type -> its feed-forward neurons."""

BERT_HEADS = Units(
    "num_attention_heads",
    "attention.output.dense",
    {
        **_cut("attention.self.query attention.self.key attention.self.value", 0),
        "attention.output.dense.weight": (1, 1),
    },
)
PROJECTED_HEADS = Units(
    "num_attention_heads",
    "self_attn.o_proj",
    {**_cut("self_attn.q_proj self_attn.k_proj self_attn.v_proj", 0), "self_attn.o_proj.weight": (1, 1)},
)
HEADS: dict[str, Units] = {
    "llama": PROJECTED_HEADS,
    "qwen2": PROJECTED_HEADS,
    "qwen3": PROJECTED_HEADS,
    "modernbert": Units("num_attention_heads", "attn.Wo", {**_cut("attn.Wqkv", 0, 3), "attn.Wo.weight": (1, 1)}),
    "bert": BERT_HEADS,
    "roberta": BERT_HEADS,
    "xlm-roberta": BERT_HEADS,
    "distilbert": Units(
        "num_attention_heads",
        "attention.out_lin",
        {**_cut("attention.q_lin attention.k_lin attention.v_lin", 0), "attention.out_lin.weight": (1, 1)},
    ),
    "gpt2": Units("num_attention_heads", "attn.c_proj", {**_cut("attn.c_attn", 1, 3), "attn.c_proj.weight": (0, 1)}),
}
"""Model type -> its attention heads. MPNet is not here: its layers share a table of distances with a column a head, and
each layer would lose other heads."""

UNTIED = ("llama", "qwen2", "qwen3")
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
        """A model as it is; no neurons of one that is not in the tables, which stays whole."""
        units = NEURONS.get(config.model_type)
        neurons = 0 if units is None else getattr(config, units.setting) or 4 * config.hidden_size  # None in GPT-2
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
    multiple of their number, and that to one that divides the width. Raises ParameterError where something cannot go.
    """
    whole = Sizes.of(config)
    if width == ffn == heads == 1:
        return whole
    _check_known(config, width, ffn)
    _check_heads(config, heads)
    neurons = min(whole.neurons, _multiple(whole.neurons * ffn, MULTIPLE))
    if config.model_type not in UNTIED:
        left = math.ceil(whole.heads * width)
        return Sizes(whole.width // whole.heads * left, neurons, left)
    least = math.ceil(whole.heads * heads)
    left = next(count for count in range(least, whole.heads + 1) if whole.width % count == 0)
    return Sizes(min(whole.width, _multiple(whole.width * width, math.lcm(MULTIPLE, left))), neurons, left)


def _multiple(least: float, unit: int) -> int:
    return math.ceil(least / unit) * unit


def _check_known(config: PreTrainedConfig, width: float, ffn: float) -> None:
    for name, fraction, known in (("ffn", ffn, NEURONS), ("width", width, HEADS)):
        if fraction < 1 and config.model_type not in known:
            raise ParameterError(
                f"distill.{name}_fraction {fraction:g}: a {config.model_type} cannot be made narrower in this way",
                f"set distill.{name}_fraction to 1.0; this works with {', '.join(sorted(known))}",
            )


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
    if left == Sizes.of(config):
        return
    setattr(config, NEURONS[config.model_type].setting, left.neurons)
    if config.model_type in UNTIED:
        config.head_dim = _head_size(config)  # Qwen2 works it out from a width that is about to change
        if left.heads < config.num_attention_heads:
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
