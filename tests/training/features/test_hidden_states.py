from __future__ import annotations

import pytest
import torch

from components.training.features.hidden_states import hidden_loss


def test_hidden_states_are_compared_on_real_tokens_and_without_scale() -> None:
    state = torch.randn(2, 3, 8)
    mask = torch.tensor([[1, 1, 0], [1, 1, 1]])
    padded = state.clone()
    padded[0, 2] += 5 * torch.randn(8)
    assert hidden_loss([state * 3 + 1], [padded], mask).item() == pytest.approx(0, abs=1e-4)
    assert hidden_loss([state], [padded], torch.ones(2, 3)).item() > 0.01
