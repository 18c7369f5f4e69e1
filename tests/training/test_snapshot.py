from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel

from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer
from components.modeling.config import ModelConfig
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK
from components.params import Params
from components.training.optimizers import OPTIMIZERS
from components.training.snapshot import (
    MovingAverage,
    load_optimizer_state,
    load_weights,
    optimizer_state_of,
    to_full_cpu,
    weights_of,
)


def small_model(tokenizer_folder: Path, architecture: str, seed: int) -> PreTrainedModel:
    torch.manual_seed(seed)
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 1, "width": None, "max_length": 16})
    return build_language_model(section, load_tokenizer(tokenizer_folder), 16)


def step(model: PreTrainedModel, optimizer: torch.optim.Optimizer, number: int) -> None:
    ids = torch.randint(4, 40, (4, 16), generator=torch.Generator().manual_seed(number))
    optimizer.zero_grad()
    model(input_ids=ids).logits.float().logsumexp(dim=-1).mean().backward()
    optimizer.step()


def through_a_file(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    save_file(tensors, path)
    return load_file(path)


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_another_instance_takes_the_same_next_steps(
    params: Params, tokenizer_folder: Path, tmp_path: Path, architecture: str, name: str
) -> None:
    first = small_model(tokenizer_folder, architecture, 1)
    optimizer = OPTIMIZERS[name](first, params.pretrain)
    for number in range(2):
        step(first, optimizer, number)
    weights = through_a_file(weights_of(first), tmp_path / "weights.safetensors")
    state = through_a_file(optimizer_state_of(first, optimizer), tmp_path / "optimizer.safetensors")

    second = small_model(tokenizer_folder, architecture, 2)
    other = OPTIMIZERS[name](second, params.pretrain)
    load_weights(second, weights)
    load_optimizer_state(second, other, state)
    for number in range(2, 4):
        step(first, optimizer, number)
        step(second, other, number)
    for (place, parameter), wanted in zip(second.named_parameters(), first.parameters(), strict=True):
        assert torch.equal(parameter, wanted), place
    for place, tensor in optimizer_state_of(second, other).items():
        assert torch.equal(tensor, optimizer_state_of(first, optimizer)[place]), place


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
def test_tied_weights_stand_once_and_stay_tied(tokenizer_folder: Path, tmp_path: Path, architecture: str) -> None:
    first, second = (small_model(tokenizer_folder, architecture, seed) for seed in (1, 2))
    taken = weights_of(first)
    assert len({tensor.data_ptr() for tensor in taken.values()}) == len(taken)
    assert set(taken) >= {name for name, _ in first.named_parameters()}
    load_weights(second, through_a_file(taken, tmp_path / "weights.safetensors"))
    for name, tensor in first.state_dict().items():
        assert torch.equal(second.state_dict()[name], tensor), name
    assert second.get_output_embeddings().weight is second.get_input_embeddings().weight


def test_kept_buffers_are_weights_and_others_are_not() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    model.register_buffer("scratch", torch.ones(2), persistent=False)
    taken = weights_of(model)
    assert "1.running_mean" in taken
    assert "scratch" not in taken


def test_what_was_taken_does_not_change_with_the_model() -> None:
    model = nn.Linear(2, 2)
    taken = weights_of(model)
    before = taken["weight"].clone()
    nn.init.zeros_(model.weight)
    assert torch.equal(taken["weight"], before)
    load_weights(model, taken)
    assert torch.equal(model.weight, before)
    nn.init.zeros_(model.weight)
    assert torch.equal(taken["weight"], before)


def test_a_state_put_back_is_not_shared_with_the_one_it_came_from(params: Params, tokenizer_folder: Path) -> None:
    model = small_model(tokenizer_folder, "modernbert", 1)
    optimizer = OPTIMIZERS["adamw"](model, params.pretrain)
    step(model, optimizer, 0)
    state = optimizer_state_of(model, optimizer)
    before = {name: tensor.clone() for name, tensor in state.items()}
    load_optimizer_state(model, optimizer, state)
    step(model, optimizer, 1)
    assert all(torch.equal(state[name], tensor) for name, tensor in before.items())


def test_an_optimizer_that_has_not_stepped_has_no_state(params: Params, tokenizer_folder: Path) -> None:
    model = small_model(tokenizer_folder, "modernbert", 1)
    optimizer = OPTIMIZERS["muon"](model, params.pretrain)
    assert optimizer_state_of(model, optimizer) == {}
    load_optimizer_state(model, optimizer, {})


def test_a_view_is_written_out_as_a_tensor_of_its_own() -> None:
    view = torch.arange(12.0).reshape(3, 4).T
    copied = to_full_cpu(view)
    assert copied.is_contiguous()
    assert torch.equal(copied, view)
    assert copied.data_ptr() != view.data_ptr()


def small_line() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 2)


def move(model: nn.Module, step: int) -> None:
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator))


def test_the_average_follows_its_law() -> None:
    model = small_line()
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
    model = small_line()
    average = MovingAverage(model, 0.9)
    for step in range(1, 50):
        average.update(step)
    torch.testing.assert_close(average.average["weight"], model.weight.detach())


def test_swapping_twice_changes_no_bit() -> None:
    model = small_line()
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


def test_the_average_leaves_frozen_parameters_out() -> None:
    model = small_line()
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
