"""Two neighbouring spans of one document in each window: what contrasts and sentence pairs are made of."""

from __future__ import annotations

import torch
from torch import Tensor

from components.modeling.packing import starts_of


def views_of(ids: Tensor, separator_id: int) -> tuple[Tensor, Tensor]:
    """Two views [2n, length // 3] of each window [n, length], and which of their tokens are of the cut's document.

    Of the places with room for a view on both sides, the first is taken whose document reaches furthest to its
    shorter side.
    """
    windows, length = ids.shape
    view = length // 3
    place = torch.arange(length)
    ends = ids == separator_id
    # First token of the document that a place is in, and the first separator from there on.
    begun = starts_of(ids, separator_id)
    ended = torch.where(ends, place, length).flip(1).cummin(dim=1).values.flip(1)
    cuts = torch.arange(view, length - view)
    before = (cuts - begun[:, cuts]).clamp(max=view)
    after = (ended[:, cuts] - cuts).clamp(max=view)
    best = torch.minimum(before, after).argmax(dim=1, keepdim=True)
    offsets = torch.arange(-view, view)
    views = ids.gather(1, cuts[best] + offsets)
    pooled = (offsets >= -before.gather(1, best)) & (offsets < after.gather(1, best))
    return views.reshape(2 * windows, view), pooled.reshape(2 * windows, view)


def framed(
    spans: list[tuple[Tensor, Tensor]], cls_id: int, separator_id: int, pad_id: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Spans as an encoder reads them, [CLS] span [SEP] span [SEP]: ids, attention mask and segments [n, length].

    `spans`: ids [n, view] and which of them count [n, view]; the others give way to padding at the end.
    """
    rows = len(spans[0][0])
    ids, kept, segments = [], [], []
    for number, (span, counts) in enumerate(spans):
        begin = [torch.full((rows, 1), cls_id)] if number == 0 else []
        ids += [*begin, span, torch.full((rows, 1), separator_id)]
        kept += [*(torch.ones_like(one, dtype=torch.bool) for one in begin), counts, counts.new_ones(rows, 1)]
        segments += [number] * (len(begin) + span.shape[1] + 1)
    mask = torch.cat(kept, dim=1)
    order = (~mask).long().argsort(dim=1, stable=True)
    padded = torch.cat(ids, dim=1).where(mask, torch.tensor(pad_id)).gather(1, order)
    return padded, mask.gather(1, order).long(), torch.tensor(segments).expand(rows, -1).gather(1, order)
