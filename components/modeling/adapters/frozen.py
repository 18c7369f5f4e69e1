"""A frozen encoder: the head is trained alone, on features as they are (Peters 2019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import PreTrainedModel

from components.modeling.adapters.adapter import train_head_alone

if TYPE_CHECKING:
    from components.training.config import AdapterConfig


def adapt(model: PreTrainedModel, config: AdapterConfig, head: str) -> None:
    """Freeze the backbone."""
    train_head_alone(model, head)
