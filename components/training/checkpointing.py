"""Checkpoints of a training: when one is due, what is in it, and how a training takes it up again."""

from __future__ import annotations

import time
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer

from components.errors import Interrupted
from components.modeling.objectives.objective import Batch
from components.training import ranks
from components.training.callbacks import EarlyStopping, MetricLogger, check_finite, floats, step_is_done
from components.training.interruption import StopRequest
from components.training.module import LanguageModule
from components.training.snapshot import load_optimizer_state, load_weights, optimizer_state_of, weights_of
from components.training.spikes import LossSpikeDetector
from components.training.store import Checkpoint, CheckpointStore
from components.variables import checkpoint_seconds

AGREE_EVERY = 10
"""Steps between which several ranks ask each other whether to save or stop: each asking waits for the device."""
SAVING_SHARE = 0.02
"""Of the time that checkpoints may take, once one takes long."""


class Checkpoints(Callback):
    """Saves what a training needs to go on, now and then and when someone asks it to stop; and puts it back.

    Last among the callbacks: the others have seen the step, or the validation, that it saves.
    """

    def __init__(
        self, store: CheckpointStore, stop: StopRequest, curves: MetricLogger, best: EarlyStopping | None
    ) -> None:
        self.store, self.stop, self.curves, self.best = store, stop, curves, best
        self.every_seconds = checkpoint_seconds()
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
        load_weights(module.learner, tensors["weights"])
        # Saved as sums over the ranks: one rank alone brings them back into the next sum.
        module.losses = [torch.tensor(loss if ranks.is_rank_zero() else 0.0) for loss in progress["losses"]]
        module.norms = [torch.tensor(norm) for norm in progress["norms"]]
        self.curves.spikes = LossSpikeDetector(*progress["spikes"])
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
        if not step_is_done(module, index):
            return
        stopping = self._agreed(self.stop.requested, module)
        # Before a validation only if there will be none: a saved step should have its validation with it.
        if stopping or (not trainer.is_last_batch and self._agreed(self._due(), module)):
            self.save(trainer, module, validated=not trainer.is_last_batch)
        if stopping:
            raise _interrupted(module)

    def on_validation_batch_end(self, trainer: Trainer, module: LightningModule, *_: Any) -> None:
        assert isinstance(module, LanguageModule)
        if self.stop.requested and ranks.world_size() == 1 and not trainer.sanity_checking:
            with module.trained_weights():
                self.save(trainer, module, validated=False)
            raise _interrupted(module)

    def on_validation_end(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, LanguageModule)
        done = module.step == module.steps or trainer.should_stop
        stopping = self.stop.requested and ranks.world_size() == 1
        if done or stopping or self._agreed(self._due(), module, always=True):
            # A callback's turn comes before the module's, which then takes the averaged weights out again.
            with module.trained_weights():
                self.save(trainer, module, validated=True)
        if stopping and not done:
            raise _interrupted(module)

    def save(self, trainer: Trainer, module: LanguageModule, validated: bool) -> None:
        """Write a checkpoint of the step just finished."""
        began = time.monotonic()
        tensors = {"weights": weights_of(module.learner)}
        state = optimizer_state_of(module.learner, trainer.optimizers[0])
        average = {} if module.average is None else module.average.weights()
        losses = floats(module.losses, module.device, add=True)
        norms = floats(module.norms, module.device, add=False)
        # Nothing that is broken is worth going on from.
        check_finite(torch.tensor([losses, norms]), module.step - len(losses) + 1)
        if ranks.is_rank_zero():
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
        load_optimizer_state(module.learner, trainer.optimizers[0], tensors.get("optimizer", {}))
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
        return ranks.any_rank(wanted, module.device)


def _interrupted(module: LanguageModule) -> Interrupted:
    return Interrupted(f"checkpoint at step {module.step}; run again to go on from there")
