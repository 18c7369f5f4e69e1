"""Windows of packed text as the documents in them: none attends to another, positions count from 0 in each.

A document alone and the same document in the middle of a window then have the same hidden states.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedConfig

from components.modeling.architectures import architecture_of


def starts_of(ids: Tensor, separator_id: int) -> Tensor:
    """The place in its window of the first token of each token's document [n, length]; a separator ends its own."""
    place = torch.arange(ids.shape[1], device=ids.device)
    starts = torch.where(ids == separator_id, place + 1, 0).cummax(dim=1).values.roll(1, dims=1)
    starts[:, 0] = 0
    return starts


def document_inputs(config: PreTrainedConfig, starts: Tensor, causal: bool) -> dict[str, Any]:
    """What a transformers model is given beside the ids, so that it reads each document by itself.

    The mask [n, 1, length, length] is true where a token may look; a model whose layers look differently far
    (ModernBERT's own) gets one for each kind of layer.
    """
    place = torch.arange(starts.shape[1], device=starts.device)
    mask = (starts[:, :, None] == starts[:, None, :]).unsqueeze(1)
    if causal:
        mask = mask & (place[:, None] >= place)
    if config._attn_implementation == "eager":
        # MPNet's only one: it adds the mask to the scores.
        mask = torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, torch.finfo(torch.float32).min)
    masks: Tensor | dict[str, Tensor] = mask
    if "sliding_attention" in (getattr(config, "layer_types", None) or ()):
        near = (place[:, None] - place).abs() <= config.sliding_window
        masks = {"full_attention": mask, "sliding_attention": mask & near}
    return {"attention_mask": masks, "position_ids": place - starts + architecture_of(config).first_position(config)}
