from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from components.errors import ParameterError
from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_tokenizer, random_classifier, save_checkpoint
from components.modeling.config import ModelConfig
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK
from components.modeling.objectives.objective import Batch
from components.params import Params
from components.tasks.classification import Classification
from components.training.config import TrainerConfig
from components.training.quantization_aware import (
    QuantizationAware,
    quantization_aware,
    rounded,
    rounded_activations,
    rounded_weight,
)
from components.training.task_objective import TaskObjective

BATCH: Batch = {
    "input_ids": torch.tensor([[1, 20, 30, 2], [1, 40, 2, 0]]),
    "attention_mask": torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]]),
    "targets": torch.tensor([0, 1]),
    "count": 2,
    "tokens": 7,
}
OBJECTIVE = TaskObjective(Classification(("a", "b")))


def classifier(architecture: str, tokenizer_folder: Path, folder: Path) -> PreTrainedModel:
    torch.manual_seed(5)
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 1, "width": None, "max_length": 32})
    save_checkpoint(build_language_model(section, load_tokenizer(tokenizer_folder), 16), tokenizer_folder, folder)
    return random_classifier(folder, ["a", "b"], 0.0).eval()


def test_weights_take_255_values_an_output_and_activations_256() -> None:
    torch.manual_seed(5)
    weight = torch.randn(3, 1000) * torch.tensor([[1.0], [100.0], [0.0]])
    held = rounded_weight(weight)
    scale = weight.abs().amax(dim=1, keepdim=True) / 127
    assert ((held - weight).abs() <= scale / 2 + 1e-6).all()
    assert [len(row.unique()) for row in held] == [pytest.approx(200, abs=55), pytest.approx(200, abs=55), 1]
    values = torch.rand(5000) * 3 + 1
    assert len(rounded_activations(values).unique()) <= 256
    torch.testing.assert_close(rounded_activations(values), values, atol=4 / 255 / 2 + 1e-6, rtol=0)
    assert rounded_activations(torch.zeros(4)).tolist() == [0, 0, 0, 0]


def test_gradients_pass_as_if_nothing_was_rounded() -> None:
    weight, values = torch.randn(4, 6, requires_grad=True), torch.randn(7, requires_grad=True)
    (rounded_weight(weight).sum() + rounded_activations(values).sum()).backward()
    assert weight.grad is not None
    assert values.grad is not None
    assert torch.equal(weight.grad, torch.ones(4, 6))
    assert torch.equal(values.grad, torch.ones(7))


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
def test_a_model_is_rounded_only_while_it_is_asked_to(
    architecture: str, tokenizer_folder: Path, tmp_path: Path
) -> None:
    model = classifier(architecture, tokenizer_folder, tmp_path)
    names = list(model.state_dict())
    exact = OBJECTIVE.loss(model, BATCH)
    exact.backward()
    learning = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    model.zero_grad()
    with rounded(model):
        near = OBJECTIVE.loss(model, BATCH)
        near.backward()
    assert near != exact
    assert near.item() == pytest.approx(exact.item(), rel=0.05)
    # XLNet has weights that a classifier does not use, such as the vector of a hidden token.
    assert {name for name, parameter in model.named_parameters() if parameter.grad is not None} == learning
    assert len(learning) > 10
    assert OBJECTIVE.loss(model, BATCH) == exact
    assert list(model.state_dict()) == names


def test_rounding_begins_at_its_step_and_rules_every_validation(tokenizer_folder: Path, tmp_path: Path) -> None:
    model = classifier("bert", tokenizer_folder, tmp_path)
    aware = QuantizationAware(OBJECTIVE, 3)
    exact = OBJECTIVE.loss(model, BATCH)
    assert aware.loss(model, {**BATCH, "step": 2}) == exact
    assert aware.loss(model, {**BATCH, "step": 3}) != exact
    scores = aware.score(model, BATCH)
    assert not torch.equal(scores[0], OBJECTIVE.score(model, BATCH)[0])
    assert aware.summary([scores]) == OBJECTIVE.summary([scores])


def test_the_share_counts_from_the_end_and_none_is_the_objective_itself(params: Params) -> None:
    aware = quantization_aware(OBJECTIVE, 0.25, 100, params.trainer)
    assert isinstance(aware, QuantizationAware)
    assert aware.first_step == 75
    assert quantization_aware(OBJECTIVE, 0.0, 100, params.trainer) is OBJECTIVE


@pytest.mark.parametrize("name", ["compile", "checkpoint_activations"])
def test_a_forward_pass_that_would_not_see_the_rounding_is_refused(name: str, params: Params) -> None:
    trainer = TrainerConfig.model_validate({**params.trainer.model_dump(), name: True})
    with pytest.raises(ParameterError, match=f"does not go with trainer.{name}"):
        quantization_aware(OBJECTIVE, 0.5, 100, trainer)


def test_training_with_rounding_leaves_less_to_lose_by_it() -> None:
    """One large hidden number coarsens the grid of all: only training that sees the grid makes it smaller."""
    exact, aware = trained(False), trained(True)
    assert rounding_loss(exact) > 1e-4
    assert rounding_loss(aware) < 0.7 * rounding_loss(exact)


INPUTS = torch.randn(256, 8, generator=torch.Generator().manual_seed(2))
WANTED = INPUTS[:, :4].sum(dim=1, keepdim=True)


def trained(aware: bool) -> nn.Module:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    with torch.no_grad():
        model[0].weight[0] *= 100
        model[2].weight[0, 0] /= 100
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(800):
        optimizer.zero_grad()
        if aware and step >= 200:
            with rounded(model):
                loss = error(model)
        else:
            loss = error(model)
        loss.backward()
        optimizer.step()
    return model


def error(model: nn.Module) -> Tensor:
    loss: Tensor = (model(INPUTS) - WANTED).square().mean()
    return loss


@torch.no_grad()
def rounding_loss(model: nn.Module) -> float:
    with rounded(model):
        return error(model).item()
