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

_IN_PARTS, _IN_BATCHES = ("contrastive", "simcse"), ("nsp",)
"""Objectives that compare the windows of a micro-batch of one rank, and of a whole batch."""
_HIDDEN = ("mask_probability", "predicted_share", "noise_density")
"""Parameters of objectives: the share of the tokens that is learned from."""


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


def check_batch(config: PretrainConfig, parts: int) -> None:
    """Raise ParameterError where a batch, divided into so many parts, leaves nothing to learn: a window has no other to
    be told from, or not one token is hidden."""
    name, windows = config.objective.name, config.batch_size
    if (windows // parts if name in _IN_PARTS else windows if name in _IN_BATCHES else 2) < 2:
        each = f", divided into {parts} parts" if name in _IN_PARTS and parts > 1 else ""
        raise ParameterError(
            f"pretrain.batch_size {windows}{each}: {name} tells a window from others, and there is no other",
            f"set it to {2 * parts if name in _IN_PARTS else 2} or more: the more, the better",
        )
    hidden = next((one for one in _HIDDEN if one in type(config.objective).model_fields), None)
    if hidden is not None and (count := getattr(config.objective, hidden) * windows * config.sequence_length) < 1:
        raise ParameterError(
            f"pretrain.objective.{hidden} {getattr(config.objective, hidden):g}: of a batch of {windows} windows of "
            f"{config.sequence_length} tokens {count:.2g} are learned from",
            "raise it: 0.15 is usual",
        )


def _module(name: str) -> Any:
    return import_module(f"components.modeling.objectives.{name}")
