from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from components.errors import LianziError
from components.params import Params
from components.run import RecordedRun, progress
from components.training.callbacks import BestWeights, Curves
from components.training.module import LanguageModule


def feed(curves: Curves, losses: list[float]) -> None:
    trainer: Any = SimpleNamespace(is_last_batch=False)
    module: Any = None
    curves.on_train_start(trainer, module)
    for step, loss in enumerate(losses):
        trainer.is_last_batch = step == len(losses) - 1
        curves.on_train_batch_end(trainer, module, {"loss": torch.tensor(loss)}, {"tokens": 10}, step)


def test_a_long_training_leaves_about_a_hundred_points(run: RecordedRun) -> None:
    with progress("test", 2500, "tokens") as shown:
        feed(Curves(run, shown, 250, "scratch/"), [1.0, 3.0] * 125)
    losses = [(step, metrics["scratch/loss"]) for step, metrics in run.steps if "scratch/loss" in metrics]
    assert len(losses) == 125
    assert losses[0] == (2, 2.0)
    assert losses[-1][0] == 250
    assert sum("system/scratch/tokens_per_second" in metrics for _, metrics in run.steps) == 125


def test_a_broken_loss_names_its_step_and_the_learning_rate(run: RecordedRun) -> None:
    with progress("test", 3000, "tokens") as shown, pytest.raises(LianziError, match=r"at step 14\n.*learning_rate"):
        feed(Curves(run, shown, 300), [1.0] * 13 + [float("nan")] + [1.0] * 286)


def test_the_best_weights_come_back_and_patience_ends_the_training(params: Params) -> None:
    model: Any = nn.Linear(1, 1)
    objective: Any = None
    module = LanguageModule(model, objective, params.finetune, 10, 1)
    best, trainer = BestWeights("macro_f1", patience=2), SimpleNamespace(should_stop=False)
    stops = []
    for epoch, score in enumerate([0.5, 0.7, 0.6, 0.7], 1):
        nn.init.constant_(model.weight, epoch)
        module.validation = {"macro_f1": score}
        best.on_validation_end(trainer, module)  # type: ignore[arg-type]
        stops.append(trainer.should_stop)
    best.restore(module)
    assert stops == [False, False, False, True]
    assert model.weight.item() == 2
    assert (best.best, best.best_validation) == ({"macro_f1": 0.7}, 2)
