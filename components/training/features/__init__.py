"""What a student imitates of its teacher's layers: a file each, chosen by `distill.features.name`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from transformers import PreTrainedModel

from components.training.features.feature import Features, Imitated

if TYPE_CHECKING:
    from components.training.config import FeaturesConfig


def build_features(
    config: FeaturesConfig, teacher: PreTrainedModel, student: PreTrainedModel, imitated: Imitated
) -> Features:
    """What two models are compared by. Raises ParameterError where they cannot be."""
    name = config.name
    built = import_module(f"components.training.features.{name}").build(config, teacher, student, imitated)
    return cast(Features, built)
