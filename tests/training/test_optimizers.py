from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import AdamW, Muon
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from components.modeling.architectures import build_language_model, layers_of
from components.modeling.checkpoints import load_tokenizer
from components.modeling.config import ModelConfig
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK
from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.objective import WHOLE, Batch
from components.params import Params
from components.training.config import OptimizerConfig
from components.training.optimizers import OPTIMIZERS, Together, decay_groups, rate_factors, set_state, state_of


@pytest.fixture(scope="module")
def tokenizer(tokenizer_folder: Any) -> PreTrainedTokenizerFast:
    return load_tokenizer(tokenizer_folder)


@pytest.fixture
def config(params: Params) -> OptimizerConfig:
    return params.pretrain.model_copy(update={"learning_rate": 5e-3})


def small_model(tokenizer: PreTrainedTokenizerFast, architecture: str = "modernbert") -> PreTrainedModel:
    torch.manual_seed(0)
    section = ModelConfig.model_validate({"architecture": architecture, "depth": 1, "width": None, "max_length": 16})
    return build_language_model(section, tokenizer, 16)


def train(model: PreTrainedModel, optimizer: Any, tokenizer: PreTrainedTokenizerFast, steps: range) -> list[float]:
    objective = MaskedLanguageModeling(len(tokenizer), int(tokenizer.mask_token_id), (0, 1, 2, 3), 0.3)
    losses = []
    for step in steps:
        ids = torch.randint(4, 40, (8, 16), generator=torch.Generator().manual_seed(0))
        batch: Batch = objective.prepare(ids, torch.Generator().manual_seed(step % 4), WHOLE)
        optimizer.zero_grad()
        loss = objective.loss(model, batch)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_norms_and_biases_do_not_decay() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.LayerNorm(3))
    matrices, rest = decay_groups(model.parameters(), 0.1)
    assert [tuple(parameter.shape) for parameter in matrices["params"]] == [(5, 4), (3, 4)]
    assert len(rest["params"]) == 3
    assert (matrices["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)


def test_with_layer_decay_each_layer_learns_slower_than_the_one_above(
    tokenizer: PreTrainedTokenizerFast, config: OptimizerConfig
) -> None:
    torch.manual_seed(0)
    section = ModelConfig.model_validate({"architecture": "bert", "depth": 2, "width": 64, "max_length": 16})
    model = build_language_model(section, tokenizer, 16)
    factors = rate_factors(model, 0.5)
    by_name = {name: factors.get(id(parameter), 1.0) for name, parameter in model.named_parameters()}
    assert {factor for name, factor in by_name.items() if name.startswith("bert.embeddings.")} == {0.125}
    assert {factor for name, factor in by_name.items() if ".layer.0." in name} == {0.25}
    assert {factor for name, factor in by_name.items() if ".layer.1." in name} == {0.5}
    assert by_name["cls.predictions.transform.dense.weight"] == 1.0
    groups = decay_groups(model.parameters(), 0.1, factors)
    assert sum(len(group["params"]) for group in groups) == len(by_name)
    assert {group["rate_factor"] for group in groups} == {0.125, 0.25, 0.5, 1.0}


def test_with_layer_decay_embeddings_learn_slowest_wherever_a_model_defines_them(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    section = ModelConfig.model_validate({"architecture": "bart", "depth": 1, "width": 64, "max_length": 16})
    model = build_language_model(section, tokenizer, 16)
    factors = rate_factors(model, 0.5)
    embeddings = [one for name, one in model.base_model.named_parameters() if "embed" in name]
    assert {factors[id(one)] for one in embeddings} == {0.125}
    assert {factors[id(one)] for one in layers_of(model).parameters()} == {0.25, 0.5}


def test_without_layer_decay_the_groups_are_two() -> None:
    assert rate_factors(None, 1.0) == {}  # type: ignore[arg-type]
    assert all("rate_factor" not in group for group in decay_groups([], 0.1))


def test_frozen_parameters_are_left_out() -> None:
    model = nn.Linear(4, 3)
    model.weight.requires_grad_(False)
    matrices, rest = decay_groups(model.parameters(), 0.1)
    assert matrices["params"] == []
    assert rest["params"][0] is model.bias


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
def test_every_trainable_parameter_is_in_exactly_one_group(
    tokenizer: PreTrainedTokenizerFast, config: OptimizerConfig, name: str, architecture: str
) -> None:
    model = small_model(tokenizer, architecture)
    frozen = next(layers_of(model).parameters())
    frozen.requires_grad_(False)
    groups = OPTIMIZERS[name](model, config).param_groups
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(parameter) for parameter in model.parameters() if parameter.requires_grad)
    for group in groups:
        decays = {parameter.ndim > 1 for parameter in group["params"]}
        assert decays == {group["weight_decay"] > 0} or not decays


@pytest.mark.parametrize("architecture", [one for one in FROM_SCRATCH if one in ONE_STACK])
def test_muon_takes_the_matrices_of_the_layers_and_adamw_the_rest(
    tokenizer: PreTrainedTokenizerFast, config: OptimizerConfig, architecture: str
) -> None:
    model = small_model(tokenizer, architecture)
    optimizer = OPTIMIZERS["muon"](model, config)
    assert isinstance(optimizer, Together)
    muon, adamw = optimizer.parts
    assert isinstance(muon, Muon)
    assert isinstance(adamw, AdamW)
    taken = {id(parameter) for group in muon.param_groups for parameter in group["params"]}
    assert taken == {id(parameter) for parameter in layers_of(model).parameters() if parameter.ndim == 2}
    left = {id(parameter) for group in adamw.param_groups for parameter in group["params"]}
    assert id(model.get_input_embeddings().weight) in left


def test_a_learning_rate_set_on_the_whole_reaches_both_parts(
    tokenizer: PreTrainedTokenizerFast, config: OptimizerConfig
) -> None:
    model = small_model(tokenizer)
    optimizer = OPTIMIZERS["muon"](model, config)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    train(model, optimizer, tokenizer, range(1))
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())
    for group in optimizer.param_groups:
        group["lr"] = 0.125
    assert {group["lr"] for part in optimizer.parts for group in part.param_groups} == {0.125}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_both_lower_the_loss_of_a_small_model(
    tokenizer: PreTrainedTokenizerFast, config: OptimizerConfig, name: str
) -> None:
    model = small_model(tokenizer)
    losses = train(model, OPTIMIZERS[name](model, config), tokenizer, range(24))
    assert sum(losses[-4:]) < 0.7 * sum(losses[:4])


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_taken_out_and_put_back_goes_on_bit_for_bit(
    tokenizer: PreTrainedTokenizerFast, config: OptimizerConfig, name: str
) -> None:
    whole = small_model(tokenizer)
    expected = train(whole, OPTIMIZERS[name](whole, config), tokenizer, range(8))

    first = small_model(tokenizer)
    optimizer = OPTIMIZERS[name](first, config)
    losses = train(first, optimizer, tokenizer, range(4))
    states = [
        {key: value.clone() for key, value in state_of(optimizer, parameter).items()}
        for parameter in first.parameters()
    ]
    second = small_model(tokenizer)
    second.load_state_dict(first.state_dict())
    optimizer = OPTIMIZERS[name](second, config)
    for parameter, state in zip(second.parameters(), states, strict=True):
        set_state(optimizer, parameter, state)
    losses += train(second, optimizer, tokenizer, range(4, 8))
    assert losses == expected
    for parameter, wanted in zip(second.parameters(), whole.parameters(), strict=True):
        assert torch.equal(parameter, wanted)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_before_the_first_step_there_is_no_state(
    tokenizer: PreTrainedTokenizerFast, config: OptimizerConfig, name: str
) -> None:
    model = small_model(tokenizer)
    optimizer = OPTIMIZERS[name](model, config)
    assert all(state_of(optimizer, parameter) == {} for parameter in model.parameters())


def test_a_closure_is_asked_once_with_gradients() -> None:
    layer = nn.Linear(2, 2)
    optimizer = Together(AdamW([layer.weight]), AdamW([layer.bias]))
    asked = []

    def closure() -> torch.Tensor:
        asked.append(torch.is_grad_enabled())
        loss = layer(torch.ones(1, 2)).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).requires_grad
    assert asked == [True]
