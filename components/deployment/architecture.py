"""What an architecture allows, looked at without its weights: positions, rows of embeddings, a cache to batch by."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import ArtifactError, first_line
from components.modeling.loading import random_model

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

POSITIONED = ("bloom",)
"""Decoders without `position_ids` that the export gives each row's own places in another way."""

OTHERS = "docs/generation.md lists the families that can be"


@dataclass(frozen=True)
class Architecture:
    """positions: tokens of the longest text, None where there is no table of them. rows: of the embeddings."""

    positions: int | None
    rows: int


def look_at(folder: Path, config: PreTrainedConfig, form: str) -> Architecture:
    """Look at a model of this config that has no numbers. Raises ArtifactError where it cannot be a graph."""
    import torch
    from transformers import AutoModel

    try:
        with torch.device("meta"):
            model: Any = random_model(AutoModel, config)
            rows = int(model.get_input_embeddings().num_embeddings)
    except Exception as error:  # whatever the model's constructor raises
        raise ArtifactError(f"{folder}: {first_line(error)}", "check config.json") from None
    if form == "decoder":
        _check_decoder(folder, model)
    return Architecture(_positions(model, config, form), rows)


def _check_decoder(folder: Path, model: Any) -> None:
    kind = model.config.model_type
    if getattr(model, "_is_stateful", False):
        raise ArtifactError(
            f"{folder}: a {kind} keeps a state instead of keys and values a token, and cannot be bundled", OTHERS
        )
    if getattr(model.config, "alibi", False) and kind not in POSITIONED:
        raise ArtifactError(
            f"{folder}: a {kind} with alibi takes distances from its mask, and cannot be bundled", OTHERS
        )
    takes = inspect.signature(model.forward).parameters
    if "position_ids" not in takes and kind not in POSITIONED:
        raise ArtifactError(
            f"{folder}: a {kind} takes no position_ids, without which rows of different length cannot share a batch",
            OTHERS,
        )


def _positions(model: Any, config: PreTrainedConfig, form: str) -> int | None:
    """Of RoBERTa and its like the table begins with rows that padding takes: its first token stands behind them."""
    from torch import nn

    told = getattr(config, "max_position_embeddings", None)
    for name, module in model.named_modules():
        learned = name.endswith("position_embeddings") and isinstance(module, nn.Embedding)
        if form in ("encoder", "classifier") and learned and module.padding_idx is not None:
            return int(module.num_embeddings) - int(module.padding_idx) - 1
    # XLNet says -1 for: as many as there are.
    return int(told) if told and told > 0 else None
