"""MetricLogger, best weights."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from components.errors import LianziError
from components.params import Params
from components.run import RecordedRun, progress
from components.tasks.config import TaskConfig
from components.tasks.metrics import MacroF1
from components.training.callbacks import EarlyStopping, MetricLogger
from components.training.module import LanguageModule

TASK = TaskConfig(kind="classification", language="en", max_length=16)


def small_module(params: Params, steps: int, accumulate: int = 1) -> Any:
    model: Any = nn.Linear(1, 1)
    objective: Any = nn.Identity()
    trainer = params.trainer.model_copy(update={"accumulate": accumulate})
    return LanguageModule(model, objective, params.finetune, trainer, steps, 1)


def feed(curves: MetricLogger, module: Any, losses: list[float]) -> None:
    """Let the curves see a training of these losses."""
    trainer: Any = None
    curves.on_train_start(trainer, module)
    accumulate = module.trainer_config.accumulate
    for index in range(len(losses) * accumulate):
        if (index + 1) % accumulate == 0:
            module.losses.append(torch.tensor(losses[module.step]))
            module.norms.append(torch.tensor(0.5))
            module.step += 1
        curves.on_train_batch_end(trainer, module, None, {"tokens": 10}, index)


def watch(run: RecordedRun, shown: Any, steps: int, prefix: str = "") -> MetricLogger:
    return MetricLogger(run, shown, steps, "test", prefix, lambda step: np.arange(10 * step, 10 * step + 10))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_long_training_leaves_about_a_hundred_points(params: Params, run: RecordedRun, accumulate: int) -> None:
    with progress("test", 2500, "tokens") as shown:
        feed(watch(run, shown, 250, "scratch/"), small_module(params, 250, accumulate), [1.0, 3.0] * 125)
    losses = [(step, metrics["scratch/loss"]) for step, metrics in run.steps if "scratch/loss" in metrics]
    assert len(losses) == 125
    assert losses[0] == (2, 2.0)
    assert losses[-1][0] == 250
    assert sum("system/scratch/tokens_per_second" in metrics for _, metrics in run.steps) == 125
    assert shown.done == 2500


def test_the_last_step_is_reported_whatever_the_stride(params: Params, run: RecordedRun) -> None:
    with progress("test", 2510, "tokens") as shown:
        curves = watch(run, shown, 251)
        feed(curves, small_module(params, 251), [1.0] * 250 + [4.0])
    assert curves.history["loss"][-1] == (251, 4.0)
    assert curves.history["gradient_norm"][-1] == (251, 0.5)


def test_a_broken_loss_names_its_step_and_the_learning_rate(params: Params, run: RecordedRun) -> None:
    losses = [1.0] * 13 + [float("nan")] + [1.0] * 286
    with progress("test", 3000, "tokens") as shown, pytest.raises(LianziError, match=r"at step 14\n.*learning_rate"):
        feed(watch(run, shown, 300), small_module(params, 300), losses)


def test_a_spike_is_said_with_its_samples(params: Params, run: RecordedRun) -> None:
    losses = [2 + 0.1 * (step % 3) for step in range(300)]
    losses[200] = 50.0
    with progress("test", 3000, "tokens") as shown:
        feed(watch(run, shown, 300), small_module(params, 300), losses)
    (line,) = run.lines
    assert "loss spike at step 201: 50.000, usually 2.09" in line
    assert "samples 2000, 2001, 2002" in line


def test_the_best_weights_are_kept_and_patience_ends_the_training(params: Params) -> None:
    module = small_module(params, 10)
    best, trainer = EarlyStopping(MacroF1(3), patience=2), SimpleNamespace(should_stop=False)
    stops = []
    for epoch, score in enumerate([0.5, 0.7, 0.6, 0.7], 1):
        nn.init.constant_(module.model.weight, epoch)
        module.validation = {"macro_f1": score}
        best.on_validation_end(trainer, module)  # type: ignore[arg-type]
        stops.append(trainer.should_stop)
    assert stops == [False, False, False, True]
    assert best.weights["weight"].item() == 2
    assert (best.best, best.best_validation) == ({"macro_f1": 0.7}, 2)
    assert best.done
