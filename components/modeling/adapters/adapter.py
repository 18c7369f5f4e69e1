"""What adapters share: the head, which all of them train."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import nn
from transformers import PreTrainedModel

from components.modeling.kinds import GENERATES
from components.modeling.weight_files import POOLER

Merge = Callable[[], None]
"""Puts what an adapter has learned into the layers that it stands beside: the model is then of the form it had."""


def train_head_alone(model: PreTrainedModel, head: str) -> None:
    """Freeze a model but for its new head. A language model's head is that of its pretraining: it stays too."""
    model.requires_grad_(False)
    if head not in GENERATES:
        for parameter in head_parameters(model):
            parameter.requires_grad_(True)


def head_parameters(model: PreTrainedModel) -> Iterator[nn.Parameter]:
    """Those outside the backbone; and of the pooler, which language models are pretrained without."""
    base = model.base_model
    inside = {id(one) for name, one in base.named_parameters() if name.partition(".")[0] != POOLER}
    yield from (parameter for parameter in model.parameters() if id(parameter) not in inside)
