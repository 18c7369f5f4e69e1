import math

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM

from components.modeling.objectives import MaskedLanguageModeling
from components.params import Params
from components.training.module import LanguageModule, decay_groups, learning_rate_factor


def test_norms_and_biases_do_not_decay() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.LayerNorm(3))
    matrices, rest = decay_groups(model, 0.1)
    assert [tuple(parameter.shape) for parameter in matrices["params"]] == [(5, 4), (3, 4)]
    assert len(rest["params"]) == 3
    assert (matrices["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)


def test_the_learning_rate_climbs_then_falls_to_zero() -> None:
    factors = [learning_rate_factor(step, 100, 0.1) for step in range(101)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9] == factors[10] == 1
    assert factors[55] == pytest.approx(0.5 * (1 + math.cos(math.pi / 2)))
    assert factors[100] == pytest.approx(0)
    assert learning_rate_factor(0, 10, 0.0) == 1


def test_dropout_depends_on_seed_and_step_alone(params: Params) -> None:
    torch.manual_seed(0)
    config = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=1, num_attention_heads=1, intermediate_size=32)
    model, objective = BertForMaskedLM(config).train(), MaskedLanguageModeling(50, 3, (0, 1, 2, 3), 0.5)
    batch = objective.prepare(torch.full((2, 8), 9), torch.Generator().manual_seed(0))

    def loss(seed: int, step: int) -> float:
        torch.rand(seed + step + 1)
        return LanguageModule(model, objective, params.pretrain, 10, seed).training_step(batch, step).item()

    assert loss(1, 4) == loss(1, 4)
    assert len({loss(1, 4), loss(1, 5), loss(2, 4)}) == 3
