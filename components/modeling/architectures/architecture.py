"""The form in which architectures/NAME.py says what must be known of a model type of transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from torch import Tensor
from transformers import PreTrainedConfig

from components.modeling.config import ModelConfig

Vocabulary = dict[str, Any]
"""Vocabulary size and the ids of special tokens, under the names transformers configs give them."""
Slices = Mapping[str, tuple[int, int]]
"""Name of a tensor in a layer -> the dimension that is cut, and how many parts alike stand one after another in it."""


@dataclass(frozen=True)
class PrunableUnits:
    """Units of a layer that can be taken away: `out` is the linear layer that reads them, `slices` all tensors with
    them, `setting` the name of their number in the config."""

    setting: str
    out: str
    slices: Slices


class DecoderStack(NamedTuple):
    """The second stack of an encoder-decoder: the path from the base model to its layers, the setting of their
    number."""

    layers: str
    depth: str


@dataclass(frozen=True)
class Architecture:
    """`language_model`: which language model it is, a key of LANGUAGE_MODELS. `layers`: path from the base model to
    its list of layers; `decoder`: of an encoder-decoder, whose `layers` are the encoder's. `before_head`: hidden states
    [..., width] -> what the model's own vocabulary head, the linear layer `head`, reads. `dropouts`: its settings of a
    fine-tuning dropout. `pooling`: what a classifier reads of a text. `config`: of a model with random weights; None
    for what only comes as a checkpoint. `first_position`: of a text's first token; where it is not 0 that many fewer
    tokens can be read. `task_settings`: of its config under a task's head. `own_attention`: whether it attends by code
    of its own, and by no kernel that one could choose.

    `neurons`: of its feed-forward layers, `heads`: of its attention; None where they cannot be taken away.
    `independent_heads`: whether the number of heads is independent of the width; else heads go with the channels.
    `pooled`: whether its classifier reads the first token through a pooler of the backbone. `unread`: how the names of
    those weights end that nothing is computed with where a text is read as it is.
    """

    language_model: Literal["masked_lm", "causal_lm", "permutation_lm", "seq2seq_lm"]
    layers: str
    before_head: Callable[[Any, Tensor], Tensor]
    head: str
    dropouts: tuple[str, ...]
    pooling: str
    neurons: PrunableUnits | None
    heads: PrunableUnits | None
    config: Callable[[ModelConfig, Vocabulary], PreTrainedConfig] | None = None
    decoder: DecoderStack | None = None
    first_position: Callable[[PreTrainedConfig], int] = lambda config: 0
    task_settings: Mapping[str, Any] = field(default_factory=dict)
    own_attention: bool = False
    independent_heads: bool = False
    pooled: bool = False
    unread: tuple[str, ...] = ()


def slices_of(names: str, dimension: int, parts: int = 1) -> Slices:
    """Weight and bias of linear layers that lose outputs along a dimension of the weight."""
    return {
        f"{name}.{part}": (dimension if part == "weight" else 0, parts)
        for name in names.split()
        for part in ("weight", "bias")
    }
