"""Model types of transformers that are trained here. Four can be made anew, each with one dial: `depth` layers, 64 x
depth wide, a head per 64; the others come as checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor, nn
from torch.nn.functional import gelu
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
from components.params import HEAD_WIDTH, ModelConfig

ENCODER_OBJECTIVES = ("mlm", "contrastive")

Vocabulary = dict[str, Any]
"""Vocabulary size and the ids of special tokens, under the names transformers configs give them."""


@dataclass(frozen=True)
class Architecture:
    """What Lianzi must know of a transformers model type.

    `layers`: path from the base model to its list of layers. `before_head`: hidden states [..., width] -> what the
    model's own vocabulary head, the linear layer `head`, reads. `dropouts`: its settings of a fine-tuning dropout.
    `config`: of a new model; None for what only comes as a checkpoint. `pooling`: what a classifier reads of a text.
    `first_position`: of a text's first token; where it is not 0 that many fewer tokens can be read.
    """

    objectives: tuple[str, ...]
    layers: str
    before_head: Callable[[Any, Tensor], Tensor]
    head: str
    dropouts: tuple[str, ...]
    pooling: str
    config: Callable[[ModelConfig, Vocabulary], PreTrainedConfig] | None = None
    first_position: Callable[[PreTrainedConfig], int] = lambda config: 0
    own_attention: bool = False
    """Whether it attends by code of its own, and by no kernel that one could choose."""


def width_of(model: ModelConfig) -> int:
    """Numbers a token is between the layers, HEAD_WIDTH of them to an attention head."""
    return model.width or HEAD_WIDTH * model.depth


def modernbert(model: ModelConfig, vocabulary: Vocabulary) -> PreTrainedConfig:
    """Pre-LN, rotary, gated encoder (Warner 2024): all layers attend globally, the mean token is classified."""
    width = width_of(model)
    return ModernBertConfig(
        num_hidden_layers=model.depth,
        hidden_size=width,
        num_attention_heads=width // HEAD_WIDTH,
        intermediate_size=_gated_width(width),
        max_position_embeddings=model.max_length,
        layer_types=["full_attention"] * model.depth,
        classifier_pooling="mean",
        **vocabulary,
    )


def bert(model: ModelConfig, vocabulary: Vocabulary) -> PreTrainedConfig:
    """Post-LN encoder (Devlin 2019)."""
    width = width_of(model)
    return BertConfig(
        num_hidden_layers=model.depth,
        hidden_size=width,
        num_attention_heads=width // HEAD_WIDTH,
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
        n_embd=width_of(model),
        n_head=width_of(model) // HEAD_WIDTH,
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
    width = width_of(model)
    return LlamaConfig(
        num_hidden_layers=model.depth,
        hidden_size=width,
        num_attention_heads=width // HEAD_WIDTH,
        intermediate_size=_gated_width(width),
        max_position_embeddings=model.max_length,
        tie_word_embeddings=True,
        **vocabulary,
    )


FIRST_TOKEN, LAST_TOKEN = "the first token", "the last token"


def _lm_head(model: Any, hidden: Tensor) -> Tensor:
    """What RoBERTa's and MPNet's head does before its last layer."""
    head = model.lm_head
    return cast(Tensor, head.layer_norm(gelu(head.dense(hidden))))


def _distilbert_head(model: Any, hidden: Tensor) -> Tensor:
    return cast(Tensor, model.vocab_layer_norm(model.activation(model.vocab_transform(hidden))))


def _as_it_is(model: Any, hidden: Tensor) -> Tensor:
    return hidden


def _like_llama(config: Callable[[ModelConfig, Vocabulary], PreTrainedConfig] | None) -> Architecture:
    return Architecture(("clm",), "layers", _as_it_is, "lm_head", (), LAST_TOKEN, config)


def _like_roberta() -> Architecture:
    return Architecture(
        ENCODER_OBJECTIVES,
        "encoder.layer",
        _lm_head,
        "lm_head.decoder",
        ("hidden_dropout_prob", "classifier_dropout"),
        FIRST_TOKEN,
        # Positions count from behind that of padding.
        first_position=lambda config: int(config.pad_token_id or 0) + 1,
    )


ARCHITECTURES: dict[str, Architecture] = {
    "modernbert": Architecture(
        ENCODER_OBJECTIVES,
        "layers",
        lambda model, hidden: model.head(hidden),
        "decoder",
        ("embedding_dropout", "classifier_dropout"),
        "the mean token, or the first",
        modernbert,
    ),
    "bert": Architecture(
        ENCODER_OBJECTIVES,
        "encoder.layer",
        lambda model, hidden: model.cls.predictions.transform(hidden),
        "cls.predictions.decoder",
        ("hidden_dropout_prob", "classifier_dropout"),
        FIRST_TOKEN,
        bert,
    ),
    "gpt2": Architecture(("clm",), "h", _as_it_is, "lm_head", ("resid_pdrop", "embd_pdrop"), LAST_TOKEN, gpt2),
    "llama": _like_llama(llama),
    "qwen2": _like_llama(None),
    "qwen3": _like_llama(None),
    "roberta": _like_roberta(),
    "xlm-roberta": _like_roberta(),
    "distilbert": Architecture(
        ENCODER_OBJECTIVES,
        "transformer.layer",
        _distilbert_head,
        "vocab_projector",
        ("dropout", "seq_classif_dropout"),
        FIRST_TOKEN,
    ),
    "mpnet": Architecture(
        ENCODER_OBJECTIVES,
        "encoder.layer",
        _lm_head,
        "lm_head.decoder",
        ("hidden_dropout_prob",),
        FIRST_TOKEN,
        # The padding's position is 1 whatever the config says; transformers has it as a constant.
        first_position=lambda config: 2,
        own_attention=True,
    ),
}

MADE_ANEW = tuple(name for name, entry in ARCHITECTURES.items() if entry.config is not None)
"""Those that params.yaml may name as model.architecture."""

ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")
"""What the configs of checkpoints call a dropout of attention weights."""

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


def positions_of(config: PreTrainedConfig) -> int:
    """The tokens that a model reads at most."""
    return int(config.max_position_embeddings) - architecture_of(config).first_position(config)


def check_objective(architecture: str, objective: str) -> None:
    """Raise ParameterError where an architecture cannot learn by an objective."""
    known = ARCHITECTURES[architecture].objectives
    if objective not in known:
        fitting = [name for name, entry in ARCHITECTURES.items() if entry.config and objective in entry.objectives]
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
    assert entry.config is not None  # params.py names no other
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
