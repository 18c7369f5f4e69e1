"""What a task's model ends in: a head's name, as kinds of task give it -> the loader of transformers that adds it."""

from __future__ import annotations

from typing import Any

from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    PreTrainedConfig,
)

from components.errors import ParameterError
from components.modeling.architectures import architecture, architecture_name, architecture_of
from components.modeling.kinds import ARCHITECTURES, GENERATES

HEADS: dict[str, Any] = {
    "sequence": AutoModelForSequenceClassification,
    "tokens": AutoModelForTokenClassification,
    GENERATES: AutoModelForCausalLM,
}


def auto_model(head: str, config: PreTrainedConfig) -> Any:
    """The loader of models of this architecture with this head. Raises ParameterError where it cannot carry it.

    Encoders and decoders carry all heads alike but one: what reads in both directions cannot generate.
    """
    if head == GENERATES and architecture_of(config).language_model != GENERATES:
        able = [name for name in ARCHITECTURES if architecture(name).language_model == GENERATES]
        raise ParameterError(
            f"model.architecture: {architecture_name(config)} cannot generate; {', '.join(able)} can",
            "choose one of them, or another kind of task",
        )
    return HEADS[head]
