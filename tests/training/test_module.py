from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.nsp import NextSentencePrediction
from components.modeling.objectives.objective import WHOLE, Batch
from components.params import Params
from components.training.module import LanguageModule
from components.training.optimizers import OPTIMIZERS

OBJECTIVE = MaskedLanguageModeling(50, 3, (0, 1, 2, 3), 0.5)


def small_model(dropout: float) -> BertForMaskedLM:
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=32,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return BertForMaskedLM(config).train()


def batch() -> Batch:
    return OBJECTIVE.prepare(torch.full((4, 8), 9), torch.Generator().manual_seed(0), WHOLE)


def small_module(params: Params, dropout: float = 0.0, seed: int = 1, accumulate: int = 1, **changes: Any) -> Any:
    optimizer = params.pretrain.model_copy(update=changes)
    trainer = params.trainer.model_copy(update={"accumulate": accumulate})
    return LanguageModule(small_model(dropout), OBJECTIVE, optimizer, trainer, 10, seed)


def test_dropout_depends_on_seed_and_step_alone(params: Params) -> None:
    def loss(seed: int, step: int) -> float:
        torch.rand(seed + step + 1)
        module = small_module(params, dropout=0.1, seed=seed)
        module.step = step
        return module.training_step(batch(), 0).item()

    assert loss(1, 4) == loss(1, 4)
    assert len({loss(1, 4), loss(1, 5), loss(2, 4)}) == 3


def test_the_micro_batches_of_a_step_have_dropout_of_their_own(params: Params) -> None:
    module = small_module(params, dropout=0.1, accumulate=2)
    losses = [module.training_step(batch(), index).item() for index in range(4)]
    assert losses[0] != losses[1]
    assert losses[:2] == losses[2:]


def test_a_micro_batchs_loss_makes_up_for_being_divided(params: Params) -> None:
    whole = small_module(params).training_step(batch(), 0).item()
    assert small_module(params, accumulate=4).training_step(batch(), 0).item() == pytest.approx(4 * whole)


def test_before_a_step_every_group_gets_the_schedules_rate_and_gradients_are_clipped(params: Params) -> None:
    changes = {"schedule": "linear", "warmup_fraction": 0.2, "learning_rate": 0.5, "gradient_clip": 1e-3}
    module = small_module(params, **changes)
    optimizer = OPTIMIZERS["muon"](module.model, module.optimizer_config)
    module.training_step(batch(), 0).backward()
    module.on_before_optimizer_step(optimizer)
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}
    squares = [parameter.grad.square().sum() for parameter in module.model.parameters() if parameter.grad is not None]
    assert torch.stack(squares).sum().sqrt().item() == pytest.approx(1e-3, rel=1e-2)
    assert module.norms[0].item() > 1e-3
    module.step = 6
    module.on_before_optimizer_step(optimizer)
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}
    optimizer.param_groups[0]["rate_factor"] = 2.0
    module.on_before_optimizer_step(optimizer)
    assert [group["lr"] for group in optimizer.param_groups][:2] == [0.5, 0.25]


@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_average_is_there_where_it_is_asked_for(params: Params, decay: float) -> None:
    module = small_module(params, average_decay=decay)
    module.configure_optimizers()
    assert (module.average is not None) == (decay > 0)


def test_weights_of_the_objective_are_averaged_with_the_models(params: Params) -> None:
    model, objective = small_model(0.0), NextSentencePrediction(OBJECTIVE, 1, 2, 0)
    objective.attach(model)
    optimizer = params.pretrain.model_copy(update={"average_decay": 0.9})
    module = LanguageModule(model, objective, optimizer, params.trainer, 10, 1)
    module.configure_optimizers()
    assert module.average is not None
    assert "objective.pooler.weight" in module.average.average
    assert "bert.encoder.layer.0.output.dense.weight" in module.average.average


def test_recomputed_activations_give_the_same_gradients(params: Params) -> None:
    def slopes(recompute: bool) -> list[torch.Tensor]:
        module = small_module(params, dropout=0.1)
        config = module.trainer_config.model_copy(update={"checkpoint_activations": recompute})
        module.trainer_config = config
        module.configure_model()
        module.training_step(batch(), 0).backward()
        return [parameter.grad for parameter in module.model.parameters() if parameter.grad is not None]

    for found, expected in zip(slopes(True), slopes(False), strict=True):
        torch.testing.assert_close(found, expected)
