from __future__ import annotations

import pytest
import torch

from components.training.distillation import divergence, hidden_loss


def test_equal_answers_cost_nothing() -> None:
    logits = torch.randn(4, 5)
    assert divergence(logits, logits, 2.0).item() == pytest.approx(0, abs=1e-6)
    assert divergence(logits, -logits, 2.0).item() > 0


def test_hidden_states_are_compared_on_real_tokens_and_without_scale() -> None:
    state = torch.randn(2, 3, 8)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    padded = state.clone()
    padded[0, 2] += 5 * torch.randn(8)
    assert hidden_loss([state * 3 + 1], [padded], mask).item() == pytest.approx(0, abs=1e-4)
    assert hidden_loss([state], [padded], torch.ones(2, 3)).item() > 0.01
