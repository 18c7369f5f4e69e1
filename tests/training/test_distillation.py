from __future__ import annotations

import pytest
import torch

from components.training.distillation import divergence


def test_equal_answers_cost_nothing() -> None:
    logits = torch.randn(4, 5)
    assert divergence(logits, logits, 2.0).item() == pytest.approx(0, abs=1e-6)
    assert divergence(logits, -logits, 2.0).item() > 0
