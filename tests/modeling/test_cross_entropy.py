"""components.modeling.cross_entropy: the very losses and gradients of torch's own, chunk by chunk."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from components.modeling import cross_entropy
from components.modeling.cross_entropy import chunked_cross_entropy


@pytest.mark.parametrize("bias", [True, False])
def test_losses_and_gradients_are_torchs(bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "CHUNK_ROWS", {"cpu": 7})
    monkeypatch.setattr(cross_entropy, "EXACT_ROWS", {"cpu": 3})
    torch.manual_seed(0)
    head, hidden = nn.Linear(8, 31, bias=bias).double(), torch.randn(17, 8, dtype=torch.float64, requires_grad=True)
    targets, learned = torch.randint(31, (17,)), [hidden, *head.parameters()]
    expected = nn.functional.cross_entropy(head(hidden), targets, reduction="sum")
    found = chunked_cross_entropy(hidden, head, targets)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found, learned), torch.autograd.grad(expected, learned))


def test_a_target_whose_probability_is_zero_in_float32_has_its_exact_loss() -> None:
    head, hidden = nn.Linear(1, 2, bias=False), torch.ones(1, 1)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([[0.0], [500.0]]))
    assert chunked_cross_entropy(hidden, head, torch.tensor([0])).item() == 500.0
