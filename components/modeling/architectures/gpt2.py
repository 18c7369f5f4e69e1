"""GPT-2: pre-LN decoder (Radford 2019)."""

from __future__ import annotations

from transformers import GPT2Config

from components.modeling.architectures.architecture import Architecture, PrunableUnits, Vocabulary, slices_of
from components.modeling.architectures.families import LAST_TOKEN, unchanged, width_of
from components.modeling.config import HEAD_DIM, ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> GPT2Config:
    """Without dropout, which fine-tuning sets."""
    return GPT2Config(
        n_layer=model.depth,
        n_embd=width_of(model),
        n_head=width_of(model) // HEAD_DIM,
        n_positions=model.max_length,
        # transformers' default, gelu_new, is the same function written in five operations.
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        **vocabulary,
    )


ARCHITECTURE = Architecture(
    language_model="causal_lm",
    layers="h",
    before_head=unchanged,
    head="lm_head",
    dropouts=("resid_pdrop", "embd_pdrop"),
    pooling=LAST_TOKEN,
    # Its weights stand the other way round (Conv1D).
    neurons=PrunableUnits("n_inner", "mlp.c_proj", {**slices_of("mlp.c_fc", 1), "mlp.c_proj.weight": (0, 1)}),
    heads=PrunableUnits(
        "num_attention_heads", "attn.c_proj", {**slices_of("attn.c_attn", 1, 3), "attn.c_proj.weight": (0, 1)}
    ),
    config=config,
)
