"""Objectives by name: the one that params.yaml chooses, and which of them an architecture can learn by."""

from __future__ import annotations

from importlib import import_module
from typing import Any, cast

from transformers import PreTrainedTokenizerBase

from components.errors import ParameterError
from components.modeling.architectures import architecture
from components.modeling.config import OBJECTIVES
from components.modeling.kinds import FROM_SCRATCH
from components.modeling.objectives.objective import PretrainingObjective
from components.training.config import PretrainConfig


def build_objective(tokenizer: PreTrainedTokenizerBase, config: PretrainConfig) -> PretrainingObjective:
    """The objective of a pretraining over a tokenizer's vocabulary."""
    built = _module(config.objective.name).build(tokenizer, config.objective, config.document_attention)
    return cast(PretrainingObjective, built)


def fitting_objectives(architecture_name: str) -> list[str]:
    """Those that train the language model that an architecture is."""
    wanted = architecture(architecture_name).language_model
    return [name for name in OBJECTIVES if wanted == _module(name).LANGUAGE_MODEL]


def check_objective(architecture_name: str, objective: str) -> None:
    """Raise ParameterError where an architecture cannot learn by an objective."""
    wanted = _module(objective).LANGUAGE_MODEL
    if architecture(architecture_name).language_model != wanted:
        others = [name for name in FROM_SCRATCH if architecture(name).language_model == wanted]
        raise ParameterError(
            f"pretrain.objective.name {objective} does not fit model.architecture {architecture_name}",
            f"set pretrain.objective.name to {' or '.join(fitting_objectives(architecture_name))}, "
            f"or model.architecture to {' or '.join(others)}",
        )


def _module(name: str) -> Any:
    return import_module(f"components.modeling.objectives.{name}")
