"""DistilBERT: BERT with half of its layers, distilled (Sanh 2019)."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor

from components.modeling.architectures.architecture import Architecture, PrunableUnits, slices_of
from components.modeling.architectures.families import FIRST_TOKEN


def _before_head(model: Any, hidden: Tensor) -> Tensor:
    return cast(Tensor, model.vocab_layer_norm(model.activation(model.vocab_transform(hidden))))


ARCHITECTURE = Architecture(
    language_model="masked_lm",
    layers="transformer.layer",
    before_head=_before_head,
    head="vocab_projector",
    dropouts=("dropout", "seq_classif_dropout"),
    pooling=FIRST_TOKEN,
    neurons=PrunableUnits("hidden_dim", "ffn.lin2", {**slices_of("ffn.lin1", 0), "ffn.lin2.weight": (1, 1)}),
    heads=PrunableUnits(
        "num_attention_heads",
        "attention.out_lin",
        {
            **slices_of("attention.q_lin attention.k_lin attention.v_lin", 0),
            "attention.out_lin.weight": (1, 1),
        },
    ),
)
