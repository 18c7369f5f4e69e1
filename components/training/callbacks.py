"""Callbacks of a training: metrics and progress, early stopping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.distributed.tensor import DTensor

from components.errors import LianziError
from components.modeling.objectives.objective import Batch
from components.run import SYSTEM, Progress, Run
from components.tasks.metrics import Metric
from components.training import ranks
from components.training.module import LanguageModule
from components.training.snapshot import weights_of
from components.training.spikes import LossSpikeDetector, spike_line

CURVE_POINTS = 100


class MetricLogger(Callback):
    """Logs loss, gradient norm, tokens per second and validation metrics; steps count from 1.

    Losses stay on their device and are read together every `steps / 100` steps, so that no step waits for a transfer.
    `records` keeps everything logged, so that a resumed training logs it as one run.
    """

    def __init__(
        self,
        run: Run,
        progress: Progress,
        steps: int,
        label: str,
        prefix: str,
        samples: Callable[[int], Any],
    ) -> None:
        self.run, self.progress, self.label, self.prefix, self.samples = run, progress, label, prefix, samples
        self.every = max(1, steps // CURVE_POINTS)
        self.history: dict[str, list[tuple[int, float]]] = {}
        self.records: list[tuple[int, dict[str, float]]] = []
        self.spikes = LossSpikeDetector()
        self._tokens = 0
        self._since = 0.0
        self._waiting = 0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Batch, index: int
    ) -> None:
        assert isinstance(module, LanguageModule)
        if not step_is_done(module, index):
            return
        self._tokens += batch["tokens"]
        note = ""
        if module.step % self.every == 0 or module.step == module.steps:
            note = f"loss {self._report(module):.3f}"
        self.progress.advance(batch["tokens"], note)

    def on_validation_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._validation_began = time.monotonic()

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, LanguageModule)
        self._since += time.monotonic() - self._validation_began
        self.record(module.validation, module.step)

    def record(self, metrics: dict[str, float], step: int) -> None:
        """Report metrics of a step."""
        self.records.append((step, metrics))
        for name, value in metrics.items():
            self.history.setdefault(name, []).append((step, value))
        self.run.log_metrics({self._named(name): value for name, value in metrics.items()}, step)

    def _named(self, name: str) -> str:
        own = name.removeprefix(SYSTEM)
        return f"{SYSTEM if own != name else ''}{self.prefix}{own}"

    def _report(self, module: LanguageModule) -> float:
        """The mean loss of the steps since the last report."""
        losses = torch.tensor(floats(module.losses, module.device, add=True))
        norms = torch.tensor(floats(module.norms, module.device, add=False))
        module.losses, module.norms = [], []
        first = module.step - len(losses) + 1
        check_finite(torch.stack([losses, norms]), first)
        for step, loss, usual in self.spikes.spikes(losses.tolist(), first):
            self.run.say(spike_line(self.label, step, loss, usual, self.samples(step - 1).tolist()))
        now, mean = time.monotonic(), losses.mean().item()
        rate = self._tokens / max(now - self._since, 1e-9)
        reported = {"loss": mean, "gradient_norm": norms.mean().item(), f"{SYSTEM}tokens_per_second": rate}
        self.record(reported, module.step)
        self._tokens, self._since = 0, now
        return mean


def check_finite(values: Tensor, first_step: int) -> None:
    """Raise LianziError where a step's loss or gradient norm [2, steps] is not finite."""
    broken = (~values.isfinite()).any(dim=0).nonzero()
    if len(broken):
        raise LianziError(
            f"non-finite loss or gradient norm at step {first_step + int(broken[0])}",
            "lower learning_rate, to a third for example, or raise warmup_fraction",
        )


class EarlyStopping(Callback):
    """Keeps the weights of the best validation and stops after `patience` validations without a better one."""

    def __init__(self, metric: Metric, patience: int) -> None:
        self.metric, self.patience = metric, patience
        self.validations = self.best_validation = 0
        self.best: dict[str, float] = {}
        self.weights: dict[str, Tensor] = {}

    @property
    def done(self) -> bool:
        return self.validations - self.best_validation >= self.patience

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, LanguageModule)
        self.validations += 1
        name = self.metric.name
        if not self.best or self.metric.improvement(self.best[name], module.validation[name]) > 0:
            self.best, self.best_validation = dict(module.validation), self.validations
            self.weights = weights_of(module.model)
        elif self.done:
            trainer.should_stop = True


def step_is_done(module: LanguageModule, index: int) -> bool:
    """Whether the micro-batch just done was the last of its step."""
    return (index + 1) % module.trainer_config.accumulate == 0


def floats(tensors: list[Tensor], device: torch.device, add: bool) -> list[float]:
    """Scalars, read from the device at once, added up over the ranks if asked."""
    if not tensors:
        return []
    together = torch.stack([_plain(tensor).to(device) for tensor in tensors]).float()
    values: list[float] = (ranks.all_reduce_sum(together) if add else together).cpu().tolist()
    return values


def _plain(norm: Tensor) -> Tensor:
    """A gradient norm, which sharded parameters give as a sharded scalar."""
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
