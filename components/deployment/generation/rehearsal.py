"""Before the export: does the model, run as its graphs will run it, say what it says by itself?

In PyTorch, on a few tokens: rows of different length padded beside each other, and a cache that came in from outside.
An architecture that counts padding, reads its mask in another way or keeps no cache shows here, in a moment, and not
after minutes of exporting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from components.deployment.architecture import OTHERS
from components.deployment.generation.export import (
    CrossDecoder,
    Decoder,
    Layers,
    SourceEncoder,
    cache_shape,
    counted_by_row,
)
from components.deployment.sentence_embedding.encoder import SentenceEncoder
from components.deployment.sentence_embedding.reference import SentenceReference
from components.errors import ArtifactError, DataError, LianziError, first_line

if TYPE_CHECKING:
    from components.deployment.source import Source

ALLOWED = 1e-3
"""Of a logit, or a share of a vector's length: float32 sums in another order stay far below."""

LENGTHS = (7, 3)
"""Tokens of the two rows."""

TEXTS = 4


def rehearse(source: Source, model: Any, texts: Iterable[str], length: int) -> None:
    """Raises ArtifactError where the model by itself differs from the model as its graphs will be run.

    length: tokens of the longest text.
    """
    kind = source.config.model_type
    try:
        with torch.no_grad():
            away = _encoder(source, model, texts, length) if source.form == "encoder" else _generator(source, model)
    except LianziError:
        raise
    except Exception as error:  # whatever a forward pass raises that is called in another way than it knows
        raise ArtifactError(
            f"{source.folder}: a {kind} cannot be run as a graph: {first_line(error)}", OTHERS
        ) from None
    if not away <= ALLOWED:
        what = "vectors" if source.form == "encoder" else "logits"
        raise ArtifactError(
            f"{source.folder}: the {what} of a {kind}, run as its graph would be, differ from its own by {away:.2g}",
            OTHERS,
        )


def _encoder(source: Source, model: Any, texts: Iterable[str], length: int) -> float:
    reference, encoder = SentenceReference(source, model), SentenceEncoder(model, source.modules.steps).eval()
    rows = [row for row in reference.encode([text for text in texts if text.strip()][:TEXTS], length) if row]
    if not rows:
        raise DataError("no text to prove the graphs on", "--rows FILE names some")
    rows.append((rows[0] * length)[:length])
    ids = torch.full((len(rows), max(map(len, rows))), int(source.pad_id))
    mask = torch.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row)] = torch.tensor(row)
        mask[number, : len(row)] = 1
    expected, found = reference.vectors(rows), encoder(ids, mask).numpy()
    return float((np.linalg.norm(expected - found, axis=1) / np.linalg.norm(expected, axis=1)).max())


def _generator(source: Source, model: Any) -> float:
    rows = [_ids(source, number, length) for number, length in enumerate(LENGTHS)]
    mask = torch.tensor([[0] * (LENGTHS[0] - len(row)) + [1] * len(row) for row in rows])
    ids = torch.tensor([[source.pad_id] * (LENGTHS[0] - len(row)) + row for row in rows])
    if source.form == "decoder":
        return _decoder(model, rows, ids, mask)
    return _pair(model, rows, ids, mask)


def _decoder(model: Any, rows: list[list[int]], ids: torch.Tensor, mask: torch.Tensor) -> float:
    wrapped = Decoder(model).eval()
    positions = (mask.cumsum(1) - 1).clamp(min=0)

    def step(begin: int, end: int, past: Layers) -> tuple[torch.Tensor, Layers]:
        given = (ids[:, begin:end], mask[:, :end], positions[:, begin:end], past)
        return wrapped(*given)

    expected = [model(input_ids=torch.tensor([row])).logits[0, -1] for row in rows]
    return _furthest(expected, _in_two(model, step))


def _pair(model: Any, rows: list[list[int]], ids: torch.Tensor, mask: torch.Tensor) -> float:
    # A source is padded on the right, what is said on the left: turned around, each is the other.
    source, source_mask = torch.stack([_right(one, real) for one, real in zip(ids, mask, strict=True)]), mask.flip(1)
    cross = SourceEncoder(model).eval()(source, source_mask)
    wrapped = CrossDecoder(model).eval()

    def step(begin: int, end: int, past: Layers) -> tuple[torch.Tensor, Layers]:
        with counted_by_row(model, wrapped.places):
            return wrapped(ids[:, begin:end], mask[:, :end], source_mask, past, cross)

    expected = [
        model(input_ids=torch.tensor([row]), decoder_input_ids=torch.tensor([row])).logits[0, -1] for row in rows
    ]
    return _furthest(expected, _in_two(model, step))


def _in_two(model: Any, step: Callable[[int, int, Layers], tuple[torch.Tensor, Layers]]) -> torch.Tensor:
    """The logits behind the rows, read in two steps: all but one token, then that one behind a cache."""
    count, heads, width = cache_shape(model)
    empty = [(torch.zeros(2, heads, 0, width), torch.zeros(2, heads, 0, width)) for _ in range(count)]
    _, past = step(0, LENGTHS[0] - 1, empty)
    logits, _ = step(LENGTHS[0] - 1, LENGTHS[0], past)
    return logits


def _furthest(expected: list[torch.Tensor], found: torch.Tensor) -> float:
    return float(torch.nan_to_num(torch.stack(expected) - found, nan=torch.inf).abs().max())


def _right(row: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    return torch.cat([row[real > 0], row[real == 0]])


def _ids(source: Source, row: int, length: int) -> list[int]:
    """Ordinary tokens: spread over the table, none of them padding."""
    spread = [(17 + 31 * (place + row * LENGTHS[0])) % source.rows for place in range(length)]
    return [one if one != source.pad_id else (one + 1) % source.rows for one in spread]
