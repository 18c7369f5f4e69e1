"""components.modeling.objectives.simcse: a text finds its second reading."""

from __future__ import annotations

import math

import pytest
import torch

from components.modeling.objectives.objective import WHOLE
from components.modeling.objectives.simcse import SimCse
from tests.modeling.small_encoder import small_encoder

OBJECTIVE = SimCse(cls_id=1, separator_id=2, pad_id=0, temperature=0.05, dropout=0.1)
IDS = torch.randint(4, 1000, (6, 30), generator=torch.Generator().manual_seed(1))


def test_every_text_stands_twice_in_turn_and_costs_as_much() -> None:
    batch = OBJECTIVE.prepare(IDS, torch.Generator(), WHOLE)
    assert torch.equal(batch["input_ids"][0::2], batch["input_ids"][1::2])
    assert batch["input_ids"][0].tolist() == [1, *IDS[0, 0:20].tolist(), 2]
    cost = OBJECTIVE.cost(6, 30)
    assert (cost.rows, cost.length, cost.tokens) == (*batch["input_ids"].shape, batch["tokens"])


def test_a_case_by_hand() -> None:
    """Two texts at right angles, each read alike: e^20 against e^0."""
    nats, right = OBJECTIVE.contrast(torch.eye(2).repeat_interleave(2, dim=0))
    torch.testing.assert_close(nats, torch.full((2,), math.log(1 + math.exp(-20))))
    assert right.all()


def test_two_readings_differ_in_training_and_are_the_same_in_a_validation() -> None:
    model = small_encoder()
    OBJECTIVE.attach(model)
    batch = OBJECTIVE.prepare(IDS, torch.Generator(), WHOLE)
    read = OBJECTIVE.vectors(model.train(), batch)
    assert not torch.allclose(read[0::2], read[1::2])
    read = OBJECTIVE.vectors(model.eval(), batch)
    torch.testing.assert_close(read[0::2], read[1::2])


def test_texts_learn_to_lie_apart() -> None:
    model = small_encoder()
    OBJECTIVE.attach(model)
    batch = OBJECTIVE.prepare(IDS, torch.Generator(), WHOLE)
    before = OBJECTIVE.summary([OBJECTIVE.score(model.eval(), batch)])
    optimizer = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad], lr=3e-3)
    model.train()
    for _ in range(20):
        optimizer.zero_grad()
        OBJECTIVE.loss(model, batch).backward()
        optimizer.step()
    after = OBJECTIVE.summary([OBJECTIVE.score(model.eval(), batch)])
    assert after["validation_loss"] < before["validation_loss"]
    assert after["validation_uniformity"] < before["validation_uniformity"]


def test_the_mean_over_pairs_of_a_case_by_hand() -> None:
    summary = OBJECTIVE.summary([(torch.tensor([1.0, 2.0]), torch.tensor([math.exp(-4)]))])
    assert summary == pytest.approx({"validation_loss": 1.5, "validation_uniformity": -4.0})
