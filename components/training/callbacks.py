"""What watches a training: curves and progress, and the best weights so far."""

from __future__ import annotations

import time
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from components.errors import LianziError
from components.modeling.objectives import Batch
from components.run import SYSTEM, Progress, Run
from components.training.module import LanguageModule

CURVE_POINTS = 100


class Curves(Callback):
    """Reports loss, rate and validation metrics under step numbers counted from 1.

    Losses stay on their device and are read together every `steps / 100` steps, so no step waits for the one before.
    """

    def __init__(self, run: Run, progress: Progress, steps: int, prefix: str = "") -> None:
        self.run, self.progress, self.prefix = run, progress, prefix
        self.every = max(1, steps // CURVE_POINTS)
        self.history: dict[str, list[tuple[int, float]]] = {}
        self._losses: list[Tensor] = []
        self._tokens = 0
        self._since = 0.0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Batch, step: int
    ) -> None:
        self._losses.append(outputs["loss"].detach())
        self._tokens += batch["tokens"]
        last = trainer.is_last_batch
        note = ""
        if len(self._losses) == self.every or last:
            note = f"loss {self._report(step + 1):.3f}"
        self.progress.advance(batch["tokens"], note)

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._validation_began = time.monotonic()

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, LanguageModule)
        self._since += time.monotonic() - self._validation_began
        self._log(module.validation, trainer.global_step)

    def _report(self, step: int) -> float:
        losses = torch.stack(self._losses).float().cpu()
        _check_finite(losses, step)
        loss = losses.mean().item()
        now = time.monotonic()
        self._log({"loss": loss}, step)
        self.run.log_metrics(
            {f"{SYSTEM}{self.prefix}tokens_per_second": self._tokens / max(now - self._since, 1e-9)}, step
        )
        self._losses, self._tokens, self._since = [], 0, now
        return loss

    def _log(self, metrics: dict[str, float], step: int) -> None:
        for name, value in metrics.items():
            self.history.setdefault(name, []).append((step, value))
        self.run.log_metrics({f"{self.prefix}{name}": value for name, value in metrics.items()}, step)


def _check_finite(losses: Tensor, last_step: int) -> None:
    broken = (~losses.isfinite()).nonzero()
    if len(broken):
        step = last_step - len(losses) + 1 + int(broken[0])
        raise LianziError(
            f"the loss is not a number any more at step {step}",
            "lower learning_rate (a third is a good next try) or lengthen warmup_fraction",
        )


class BestWeights(Callback):
    """Keeps the weights of the best validation and stops after `patience` validations without a better one."""

    def __init__(self, monitor: str, patience: int) -> None:
        self.monitor, self.patience = monitor, patience
        self.validations = self.best_validation = 0
        self.best: dict[str, float] = {}
        self._weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, LanguageModule)
        self.validations += 1
        if not self.best or module.validation[self.monitor] > self.best[self.monitor]:
            self.best, self.best_validation = dict(module.validation), self.validations
            self._weights = {name: tensor.detach().cpu().clone() for name, tensor in module.model.state_dict().items()}
        elif self.validations - self.best_validation >= self.patience:
            trainer.should_stop = True

    def restore(self, module: LanguageModule) -> None:
        """Put the best weights back into the model."""
        module.model.load_state_dict(self._weights)
