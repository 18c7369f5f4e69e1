"""T5's and BART's objectives: against transformers' own loss, and one batch learned by heart."""

from __future__ import annotations

import pytest
import torch

from components.modeling.objectives.denoising import Denoising
from components.modeling.objectives.objective import WHOLE
from tests.modeling.objectives.small_denoising import IDS, OBJECTIVES, generator, small


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_is_that_of_transformers(name: str) -> None:
    objective, model = OBJECTIVES[name], small(name)
    batch = objective.prepare(IDS, generator(), WHOLE)
    given = {key: batch[key] for key in ("input_ids", "attention_mask")}
    expected = model(**given, labels=batch["targets"]).loss
    torch.testing.assert_close(objective.loss(model, batch), expected, rtol=1e-5, atol=0)
    summary = objective.summary([objective.score(model, batch)])
    assert summary["validation_loss"] == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_rows_of_a_batch_are_the_same_whatever_rows_are_asked_for(objective: Denoising) -> None:
    batch, part = (objective.prepare(IDS, generator(), rows) for rows in (WHOLE, slice(1, 3)))
    assert all(torch.equal(batch[key][1:3], part[key]) for key in ("input_ids", "attention_mask", "targets"))
    assert (part["count"], part["tokens"]) == (batch["count"], batch["tokens"])


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_batch_is_learned_by_heart(name: str) -> None:
    objective, model = OBJECTIVES[name], small(name)
    batch = objective.prepare(IDS, generator(), WHOLE)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss = objective.loss(model, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.2 < 3 < losses[0]
