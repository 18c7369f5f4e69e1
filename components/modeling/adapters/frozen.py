"""A frozen encoder: the head is trained alone, on features as they are (Peters 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from components.errors import ParameterError
from components.modeling.adapters.adapter import train_head_alone

if TYPE_CHECKING:
    from components.training.config import AdapterConfig


def adapt(model: PreTrainedModel, config: AdapterConfig, head: str) -> None:
    """Freeze the backbone. Raises ParameterError where nothing is left to train: of language models."""
    train_head_alone(model, head)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ParameterError(
            f"finetune.adapter.name: frozen trains a new head alone, and this {model.config.model_type} gets none",
            "set it to lora or full",
        )
