"""XLNet: relative positions, and a second stream of queries that do not see their own token (Yang 2019)."""

from __future__ import annotations

from transformers import XLNetConfig

from components.modeling.architectures.architecture import Architecture, PrunableUnits, Vocabulary, slices_of
from components.modeling.architectures.families import FIRST_TOKEN, unchanged, width_of
from components.modeling.config import HEAD_DIM, ModelConfig


def config(model: ModelConfig, vocabulary: Vocabulary) -> XLNetConfig:
    """Without dropout, which fine-tuning sets, and without a memory of the window before."""
    width = width_of(model)
    return XLNetConfig(
        n_layer=model.depth,
        d_model=width,
        n_head=width // HEAD_DIM,
        d_inner=4 * width,
        dropout=0.0,
        mem_len=None,
        use_mems_eval=False,
        summary_type=FIRST,
        **{name: vocabulary[name] for name in ("vocab_size", "pad_token_id", "bos_token_id", "eos_token_id")},
    )


FIRST = "first"
"""The last position, which transformers' classifier reads, is padding in all but the longest row of a batch."""

ARCHITECTURE = Architecture(
    language_model="permutation_lm",
    layers="layer",
    before_head=unchanged,
    head="lm_loss",
    dropouts=("dropout", "summary_last_dropout"),
    pooling=FIRST_TOKEN,
    neurons=PrunableUnits("d_inner", "ff.layer_2", {**slices_of("ff.layer_1", 0), "ff.layer_2.weight": (1, 1)}),
    heads=None,
    config=config,
    task_settings={"summary_type": FIRST},
    own_attention=True,
    unread=(".seg_embed", ".r_s_bias", ".mask_emb"),  # segments, and the stream that guesses
)
