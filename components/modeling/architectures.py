"""Architectures from transformers, each with one dial: `depth` layers, 64 x depth wide, a head per 64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    BertConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from components.errors import ArtifactError, ParameterError
from components.modeling.loading import random_model
from components.params import ModelConfig

HEAD_WIDTH = 64
ENCODER_OBJECTIVES = ("mlm", "contrastive")

Vocabulary = dict[str, Any]
"""Vocabulary size and the ids of special tokens, under the names transformers configs give them."""


@dataclass(frozen=True)
class Architecture:
    """What Lianzi must know of a transformers model type.

    `layers`: path from the base model to its list of layers. `before_head`: hidden states [..., width] -> what the
    model's own vocabulary head, the linear layer `head`, reads. `dropouts`: its settings of a fine-tuning dropout.
    """

    objectives: tuple[str, ...]
    config: Callable[[ModelConfig, Vocabulary], PreTrainedConfig]
    layers: str
    before_head: Callable[[Any, Tensor], Tensor]
    head: str
    dropouts: tuple[str, ...]


def modernbert(model: ModelConfig, vocabulary: Vocabulary) -> PreTrainedConfig:
    """Pre-LN, rotary, gated encoder (Warner 2024): all layers attend globally, the mean token is classified."""
    width = HEAD_WIDTH * model.depth
    return ModernBertConfig(
        num_hidden_layers=model.depth,
        hidden_size=width,
        num_attention_heads=model.depth,
        intermediate_size=_gated_width(width),
        max_position_embeddings=model.max_length,
        layer_types=["full_attention"] * model.depth,
        classifier_pooling="mean",
        **vocabulary,
    )


def bert(model: ModelConfig, vocabulary: Vocabulary) -> PreTrainedConfig:
    """Post-LN encoder (Devlin 2019)."""
    width = HEAD_WIDTH * model.depth
    return BertConfig(
        num_hidden_layers=model.depth,
        hidden_size=width,
        num_attention_heads=model.depth,
        intermediate_size=4 * width,
        max_position_embeddings=model.max_length,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **vocabulary,
    )


def gpt2(model: ModelConfig, vocabulary: Vocabulary) -> PreTrainedConfig:
    """Pre-LN decoder (Radford 2019)."""
    return GPT2Config(
        n_layer=model.depth,
        n_embd=HEAD_WIDTH * model.depth,
        n_head=model.depth,
        n_positions=model.max_length,
        # transformers' default, gelu_new, is the same function written in five operations.
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        **vocabulary,
    )


def llama(model: ModelConfig, vocabulary: Vocabulary) -> PreTrainedConfig:
    """Pre-RMSNorm, rotary, gated decoder (Touvron 2023)."""
    width = HEAD_WIDTH * model.depth
    return LlamaConfig(
        num_hidden_layers=model.depth,
        hidden_size=width,
        num_attention_heads=model.depth,
        intermediate_size=_gated_width(width),
        max_position_embeddings=model.max_length,
        tie_word_embeddings=True,
        **vocabulary,
    )


ARCHITECTURES: dict[str, Architecture] = {
    "modernbert": Architecture(
        ENCODER_OBJECTIVES,
        modernbert,
        "layers",
        lambda model, hidden: model.head(hidden),
        "decoder",
        ("embedding_dropout", "classifier_dropout"),
    ),
    "bert": Architecture(
        ENCODER_OBJECTIVES,
        bert,
        "encoder.layer",
        lambda model, hidden: model.cls.predictions.transform(hidden),
        "cls.predictions.decoder",
        ("hidden_dropout_prob", "classifier_dropout"),
    ),
    "gpt2": Architecture(("clm",), gpt2, "h", lambda model, hidden: hidden, "lm_head", ("resid_pdrop", "embd_pdrop")),
    "llama": Architecture(("clm",), llama, "layers", lambda model, hidden: hidden, "lm_head", ()),
}

LANGUAGE_MODELS: dict[str, Any] = {
    "mlm": AutoModelForMaskedLM,
    "contrastive": AutoModelForMaskedLM,
    "clm": AutoModelForCausalLM,
}


def architecture_of(config: PreTrainedConfig) -> Architecture:
    """The table's entry of a checkpoint's model type. Raises ArtifactError for one that is not in it."""
    if config.model_type not in ARCHITECTURES:
        raise ArtifactError(
            f"a checkpoint of the architecture {config.model_type} cannot be trained here",
            f"known: {', '.join(ARCHITECTURES)}",
        )
    return ARCHITECTURES[config.model_type]


def check_objective(architecture: str, objective: str) -> None:
    """Raise ParameterError where an architecture cannot learn by an objective."""
    known = ARCHITECTURES[architecture].objectives
    if objective not in known:
        fitting = [name for name, entry in ARCHITECTURES.items() if objective in entry.objectives]
        raise ParameterError(
            f"pretrain.objective {objective} does not fit model.architecture {architecture}",
            f"set pretrain.objective to {' or '.join(known)}, or model.architecture to {' or '.join(fitting)}",
        )


def build_language_model(
    model: ModelConfig, tokenizer: PreTrainedTokenizerBase, sequence_length: int
) -> PreTrainedModel:
    """A language model with random weights from torch's global generator."""
    if sequence_length > model.max_length:
        raise ParameterError(
            f"pretrain.sequence_length {sequence_length} is longer than model.max_length {model.max_length}",
            "raise model.max_length or lower pretrain.sequence_length",
        )
    entry = ARCHITECTURES[model.architecture]
    return random_model(LANGUAGE_MODELS[entry.objectives[0]], entry.config(model, vocabulary_of(tokenizer)))


def vocabulary_of(tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
    """What a config has to know of a tokenizer."""
    return {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "cls_token_id": tokenizer.cls_token_id,
        "sep_token_id": tokenizer.sep_token_id,
    }


def layers_of(model: PreTrainedModel) -> nn.ModuleList:
    """The list of transformer layers of a model, whatever head it carries."""
    return cast(nn.ModuleList, model.base_model.get_submodule(architecture_of(model.config).layers))


def head_of(model: PreTrainedModel) -> nn.Linear:
    """The linear layer that gives a language model's logits over the vocabulary."""
    return cast(nn.Linear, model.get_submodule(architecture_of(model.config).head))


def _gated_width(width: int) -> int:
    """Width of a gated feed-forward block that has the weights of a plain one four times wider."""
    return round(width * 8 / 3 / 64) * 64
