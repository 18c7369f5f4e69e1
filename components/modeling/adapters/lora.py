"""LoRA: a low-rank update beside each frozen linear layer (Hu 2022), added to it after the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.pytorch_utils import Conv1D

from components.errors import ParameterError
from components.modeling.adapters.adapter import Merge, train_head_alone
from components.modeling.architectures import blank_model, layers_of
from components.modeling.loading import random_model

if TYPE_CHECKING:
    from components.modeling.config import ModelConfig
    from components.training.config import LoraConfig

ADAPTER = "default"
"""peft's name for the only adapter of a model."""


def adapt(model: PreTrainedModel, config: LoraConfig, head: str) -> Merge:
    """Put updates of rank `rank`, scaled by alpha / rank, beside the layers; the new head is trained whole."""
    import peft

    layers = linear_layers(model)
    chosen = target_layers(layers, config.targets, model.config.model_type)
    check_rank(model, layers, chosen, config.rank)
    told = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=chosen,
        # GPT-2 keeps its weights as [inputs, outputs].
        fan_in_fan_out=any(isinstance(model.get_submodule(name), Conv1D) for name in chosen),
    )
    train_head_alone(model, head)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    tuner = peft.LoraModel(model, told, ADAPTER)
    for parameter in trained:  # peft freezes all but its own
        parameter.requires_grad_(True)
    # Not merge_and_unload's own result: the model is changed in place, and everyone else holds it already.
    return lambda: _merge(model, tuner)


def linear_layers(model: PreTrainedModel) -> dict[str, str]:
    """The linear layers inside the layers of a model: name in the model -> name in its layer."""
    names = {id(module): name for name, module in model.named_modules()}
    return {
        names[id(module)]: inside
        for layer in layers_of(model)
        for inside, module in layer.named_modules()
        if isinstance(module, nn.Linear | Conv1D)
    }


def target_layers(layers: dict[str, str], targets: Sequence[str] | None, model_type: str) -> list[str]:
    """The names of the layers that end in one of the targets; all where none are named (Dettmers 2023: QLoRA).

    Raises ParameterError, naming the layers there are, for a target that none ends in.
    """
    if targets is None:
        return list(layers)
    for target in targets:
        if not any(_ends_in(inside, target) for inside in layers.values()):
            known = ", ".join(dict.fromkeys(layers.values()))
            raise ParameterError(
                f"finetune.adapter.targets: a {model_type} has no linear layer {target!r:.60}", f"it has {known}"
            )
    return [name for name, inside in layers.items() if any(_ends_in(inside, target) for target in targets)]


def check_rank(model: PreTrainedModel, layers: Mapping[str, str], chosen: Sequence[str], rank: int) -> None:
    """Raise ParameterError for a rank that a layer's own weights cannot have: there is nothing low about it."""
    for name in chosen:
        smallest = min(model.get_parameter(f"{name}.weight").shape)
        if rank > smallest:
            raise ParameterError(
                f"finetune.adapter.rank {rank}: {layers[name]} of this {model.config.model_type} is {smallest} wide",
                f"set it well below {smallest}: 8 is usual",
            )


def check_lora(model: ModelConfig | PreTrainedConfig, config: LoraConfig) -> None:
    """Raise ParameterError where a model of this shape, that of params.yaml or a checkpoint's, could not be adapted."""
    with torch.device("meta"):
        shape = random_model(AutoModel, model) if isinstance(model, PreTrainedConfig) else blank_model(model)
    layers = linear_layers(shape)
    check_rank(shape, layers, target_layers(layers, config.targets, shape.config.model_type), config.rank)


def _ends_in(name: str, target: str) -> bool:
    return f".{name}".endswith(f".{target}")


def _merge(model: PreTrainedModel, tuner: Any) -> None:
    tuner.merge_and_unload()
    model.requires_grad_(True)
