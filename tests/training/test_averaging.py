import pytest
import torch
from torch import nn

from components.training.averaging import MovingAverage


def small_model() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def move(model: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))


def test_the_average_follows_its_law() -> None:
    model = small_model()
    average = MovingAverage(model, 0.5)
    expected = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for step in range(1, 30):
        move(model, step)
        average.update(step)
        decay = min(0.5, (1 + step) / (10 + step))
        for name, parameter in model.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * parameter.detach()
    for name, tensor in expected.items():
        torch.testing.assert_close(average.average[name], tensor)


def test_the_first_steps_average_over_less() -> None:
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = MovingAverage(model, 0.999)
    nn.init.ones_(model.weight)
    average.update(1)
    assert average.average["weight"].item() == pytest.approx(9 / 11)


def test_weights_that_stand_still_are_their_own_average() -> None:
    model = small_model()
    average = MovingAverage(model, 0.9)
    for step in range(1, 50):
        average.update(step)
    torch.testing.assert_close(average.average["weight"], model.weight.detach())


def test_swapping_twice_changes_no_bit() -> None:
    model = small_model()
    average = MovingAverage(model, 0.9)
    move(model, 1)
    average.update(1)
    weights, averaged = model.weight.detach().clone(), average.average["weight"].clone()
    average.swap()
    assert torch.equal(model.weight, averaged)
    assert torch.equal(average.average["weight"], weights)
    average.swap()
    assert torch.equal(model.weight, weights)
    assert torch.equal(average.average["weight"], averaged)


def test_frozen_parameters_are_left_out() -> None:
    model = small_model()
    model.bias.requires_grad_(False)
    assert set(MovingAverage(model, 0.9).average) == {"weight"}


def test_tied_weights_are_averaged_once() -> None:
    model = nn.ModuleDict({"embedding": nn.Embedding(4, 3), "head": nn.Linear(3, 4, bias=False)})
    model["head"].weight = model["embedding"].weight
    average = MovingAverage(model, 0.9)
    assert list(average.average) == ["embedding.weight"]
    move(model, 1)
    average.update(1)
    average.swap()
    assert torch.equal(model["head"].weight, model["embedding"].weight)
