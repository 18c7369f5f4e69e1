"""Full fine-tuning: every weight is trained (Howard & Ruder 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import PreTrainedModel

if TYPE_CHECKING:
    from components.training.config import AdapterConfig


def adapt(model: PreTrainedModel, config: AdapterConfig, head: str) -> None:
    """Leave the model as it is."""
