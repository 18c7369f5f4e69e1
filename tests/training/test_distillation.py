"""components.training.distillation: what a student's outputs are wrong by."""

from __future__ import annotations

import pytest
import torch

from components.training.distillation import SOFT_LOSSES


@pytest.mark.parametrize("output", SOFT_LOSSES)
def test_equal_answers_cost_nothing(output: str) -> None:
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    assert SOFT_LOSSES[output](logits, logits, 2.0).item() == pytest.approx(0, abs=1e-5)
    assert SOFT_LOSSES[output](logits, -logits, 2.0).item() > 0
