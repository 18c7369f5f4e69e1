"""Questions and answers of a batch, compared with each other: what retrieval is learned by."""

from __future__ import annotations

import torch
from torch import Tensor

from components.modeling.objectives.objective import Batch
from components.tasks.task import NO_TARGET


def in_batch_scores(vectors: Tensor, batch: Batch, never: float) -> Tensor:
    """Cosines over the temperature [n, candidates] of each question with every answer and negative of the batch: first
    the answers of its rows in their order, so that a row's own has the row's place.

    `vectors`: [n * texts, width], of each row its question, its answer and its negatives. `never`: the score of a
    candidate that is not there, or is the row's own answer once more.
    """
    numbers = batch["candidates"]
    rows = vectors.float().view(*batch["present"].shape, -1)
    answers = rows[:, 1:].transpose(0, 1).flatten(0, 1)
    known = numbers.T.flatten()
    scores = rows[:, 0] @ answers.T / batch["temperature"]
    own = torch.arange(len(known), device=known.device) == torch.arange(len(rows), device=known.device)[:, None]
    return scores.masked_fill(((known == numbers[:, :1]) & ~own) | (known == NO_TARGET), never)
