"""What watches a training: curves and progress, the best weights so far, checkpoints."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor
from torch.distributed.tensor import DTensor

from components.errors import Interrupted, LianziError
from components.modeling.objectives import Batch
from components.run import SYSTEM, Progress, Run
from components.training import ranks
from components.training.interruption import Interruption
from components.training.module import LanguageModule
from components.training.snapshot import load_optimizer_state, load_weights, optimizer_state_of, weights_of
from components.training.spikes import SpikeWatch, spike_line
from components.training.store import Checkpoint, CheckpointStore

CURVE_POINTS = 100
AGREE_EVERY = 10
"""Steps between which several ranks ask each other whether to save or stop: each asking waits for the device."""
SAVING_SHARE = 0.02
"""Of the time that checkpoints may take, once one takes long."""


class Curves(Callback):
    """Reports loss, gradient norm, rate and validation metrics under step numbers counted from 1.

    Losses stay on their device and are read together every `steps / 100` steps, so no step waits for the one before.
    All that was reported is kept in `records`, so that a training carried on reports it as one.
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
        self.spikes = SpikeWatch()
        self._tokens = 0
        self._since = 0.0
        self._waiting = 0

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._since = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Batch, index: int
    ) -> None:
        assert isinstance(module, LanguageModule)
        if not _stepped(module, index):
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
        losses = torch.tensor(_floats(module.losses, module.device, add=True))
        norms = torch.tensor(_floats(module.norms, module.device, add=False))
        module.losses, module.norms = [], []
        first = module.step - len(losses) + 1
        _check_finite(torch.stack([losses, norms]), first)
        for step, loss, usual in self.spikes.spikes(losses.tolist(), first):
            self.run.say(spike_line(self.label, step, loss, usual, self.samples(step - 1).tolist()))
        now, mean = time.monotonic(), losses.mean().item()
        rate = self._tokens / max(now - self._since, 1e-9)
        reported = {"loss": mean, "gradient_norm": norms.mean().item(), f"{SYSTEM}tokens_per_second": rate}
        self.record(reported, module.step)
        self._tokens, self._since = 0, now
        return mean


def _check_finite(values: Tensor, first_step: int) -> None:
    """Raise LianziError where a step's loss or gradient norm [2, steps] is not finite."""
    broken = (~values.isfinite()).any(dim=0).nonzero()
    if len(broken):
        raise LianziError(
            f"the loss, or its gradient, is not a number any more at step {first_step + int(broken[0])}",
            "lower learning_rate (a third is a good next try) or lengthen warmup_fraction",
        )


class BestWeights(Callback):
    """Keeps the weights of the best validation and stops after `patience` validations without a better one."""

    def __init__(self, monitor: str, patience: int) -> None:
        self.monitor, self.patience = monitor, patience
        self.validations = self.best_validation = 0
        self.best: dict[str, float] = {}
        self.weights: dict[str, Tensor] = {}

    @property
    def done(self) -> bool:
        return self.validations - self.best_validation >= self.patience

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, LanguageModule)
        self.validations += 1
        if not self.best or module.validation[self.monitor] > self.best[self.monitor]:
            self.best, self.best_validation = dict(module.validation), self.validations
            self.weights = weights_of(module.model)
        elif self.done:
            trainer.should_stop = True


class Checkpoints(Callback):
    """Saves what a training needs to go on, now and then and when someone asks it to stop; and puts it back.

    Last among the callbacks: the others have seen the step, or the validation, that it saves.
    """

    def __init__(
        self, store: CheckpointStore, interruption: Interruption, curves: Curves, best: BestWeights | None
    ) -> None:
        self.store, self.interruption, self.curves, self.best = store, interruption, curves, best
        self.every_seconds = float(os.environ.get("LIANZI_CHECKPOINT_SECONDS", "60"))
        self.resumed: Checkpoint | None = None
        self._saved_at = time.monotonic()
        self._took = 0.0

    def find(self) -> Checkpoint | None:
        """The checkpoint to go on from."""
        self.resumed = self.store.newest(self.curves.run.say)
        return self.resumed

    def restore(self, module: LanguageModule) -> None:
        """Before the model is divided among ranks: weights, the step, and what was reported and kept."""
        assert self.resumed is not None
        tensors, progress = self.resumed.tensors, self.resumed.progress
        module.step, module.validation = self.resumed.step, progress["validation"]
        load_weights(module.model, tensors["weights"])
        # Saved as sums over the ranks: one rank alone brings them back into the next sum.
        module.losses = [torch.tensor(loss if ranks.leads() else 0.0) for loss in progress["losses"]]
        module.norms = [torch.tensor(norm) for norm in progress["norms"]]
        self.curves.spikes = SpikeWatch(*progress["spikes"])
        for step, metrics in progress["records"]:
            self.curves.record(metrics, step)
        self.curves.progress.skip(progress["tokens"])
        if self.best is not None:
            self.best.weights = tensors.get("best", {})
            self.best.best, self.best.validations, self.best.best_validation = progress["best"]

    def on_sanity_check_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._restore_optimizer(trainer, module)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._restore_optimizer(trainer, module)
        self._saved_at = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Batch, index: int
    ) -> None:
        assert isinstance(module, LanguageModule)
        if not _stepped(module, index):
            return
        stopping = self._agreed(self.interruption.asked, module)
        # Before a validation only if there will be none: a saved step should have its validation with it.
        if stopping or (not trainer.is_last_batch and self._agreed(self._due(), module)):
            self.save(trainer, module, validated=not trainer.is_last_batch)
        if stopping:
            raise Interrupted(f"checkpoint at step {module.step}; run again to go on from there")

    def on_validation_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        assert isinstance(module, LanguageModule)
        if self.interruption.asked and ranks.world_size() == 1 and not trainer.sanity_checking:
            if module.average is not None:
                module.average.swap()
            self.save(trainer, module, validated=False)
            raise Interrupted(f"checkpoint at step {module.step}; run again to go on from there")

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, LanguageModule)
        done = module.step == module.steps or trainer.should_stop
        stopping = self.interruption.asked and ranks.world_size() == 1
        if done or stopping or self._agreed(self._due(), module, always=True):
            # A callback's turn comes before the module's, which then takes the averaged weights out again.
            if module.average is not None:
                module.average.swap()
            self.save(trainer, module, validated=True)
            if module.average is not None:
                module.average.swap()
        if stopping and not done:
            raise Interrupted(f"checkpoint at step {module.step}; run again to go on from there")

    def save(self, trainer: Trainer, module: LanguageModule, validated: bool) -> None:
        """Write a checkpoint of the step just finished."""
        began = time.monotonic()
        tensors = {"weights": weights_of(module.model)}
        state = optimizer_state_of(module.model, trainer.optimizers[0])
        average = {} if module.average is None else module.average.whole()
        losses = _floats(module.losses, module.device, add=True)
        norms = _floats(module.norms, module.device, add=False)
        # Nothing that is broken is worth going on from.
        _check_finite(torch.tensor([losses, norms]), module.step - len(losses) + 1)
        if ranks.leads():
            if state:
                tensors["optimizer"] = state
            if average:
                tensors["average"] = average
            if self.best is not None and self.best.weights:
                tensors["best"] = self.best.weights
            self.store.save(module.step, tensors, self._progress(module, losses, norms, validated))
        now = time.monotonic()
        self._saved_at, self._took = now, now - began

    def _progress(
        self, module: LanguageModule, losses: list[float], norms: list[float], validated: bool
    ) -> dict[str, Any]:
        best = self.best
        return {
            "validated": validated,
            "validation": module.validation,
            "losses": losses,
            "norms": norms,
            "spikes": self.curves.spikes.state,
            "records": self.curves.records,
            "tokens": self.curves.progress.done,
            "best": None if best is None else [best.best, best.validations, best.best_validation],
        }

    def _restore_optimizer(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, LanguageModule)
        if self.resumed is None:
            return
        tensors, self.resumed = self.resumed.tensors, None
        load_optimizer_state(module.model, trainer.optimizers[0], tensors.get("optimizer", {}))
        if module.average is not None:
            module.average.load(tensors["average"])

    def _due(self) -> bool:
        """With LIANZI_CHECKPOINT_SECONDS=0 after every step, however long that takes."""
        long = self._took > 1 and self.every_seconds > 0
        pause = max(self.every_seconds, self._took / SAVING_SHARE) if long else self.every_seconds
        return time.monotonic() - self._saved_at >= pause

    def _agreed(self, wanted: bool, module: LanguageModule, always: bool = False) -> bool:
        """What all ranks do alike: asked every step alone, now and then together."""
        if ranks.world_size() > 1 and module.step % AGREE_EVERY and not always:
            return False
        return ranks.agreed(wanted, module.device)


def _stepped(module: LanguageModule, index: int) -> bool:
    """Whether the micro-batch just done was the last of its step."""
    return (index + 1) % module.trainer_config.accumulate == 0


def _floats(tensors: list[Tensor], device: torch.device, add: bool) -> list[float]:
    """Scalars, read from the device at once, added up over the ranks if asked."""
    if not tensors:
        return []
    together = torch.stack([_plain(tensor).to(device) for tensor in tensors]).float()
    values: list[float] = (ranks.summed(together) if add else together).cpu().tolist()
    return values


def _plain(norm: Tensor) -> Tensor:
    """A gradient norm, which sharded parameters give as a sharded scalar."""
    return norm.full_tensor() if isinstance(norm, DTensor) else norm
