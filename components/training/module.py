"""The one LightningModule: pretraining, fine-tuning and distillation differ in the objective they plug in."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer
from transformers import PreTrainedModel

from components.modeling.architectures import architecture_of, layers_of
from components.modeling.attention import ATTENTION
from components.modeling.objectives.objective import Batch, Objective
from components.training import ranks
from components.training.config import OptimizerConfig, TrainerConfig
from components.training.optimizers import OPTIMIZERS
from components.training.randomness import derived_seed
from components.training.schedules import learning_rate_factor
from components.training.snapshot import MovingAverage

OBJECTIVE = "objective."
"""Before the names of the objective's own weights."""


class Learner(nn.Module):
    """Model and objective as one module, so that whatever wraps a forward pass wraps all of it."""

    def __init__(self, model: PreTrainedModel, objective: Objective) -> None:
        super().__init__()
        self.model, self.objective = model, objective

    def beside(self) -> dict[str, nn.Parameter]:
        """The objective's own parameters by name, OBJECTIVE first, without those that it shares with the model."""
        known = {id(parameter) for parameter in self.model.parameters()}
        return {name: parameter for name, parameter in self.named_parameters() if id(parameter) not in known}

    def forward(self, batch: Batch, validating: bool) -> Any:
        return self.objective.score(self.model, batch) if validating else self.objective.loss(self.model, batch)


class LanguageModule(LightningModule):
    """A transformers model that learns an objective over a known number of steps.

    `step`: optimizer steps done, from wherever the training began. `validation`: metrics of the last validation.
    `losses` and `norms`: of the steps since they were last taken, on the device, so that no step waits for another.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        objective: Objective,
        optimizer: OptimizerConfig,
        trainer: TrainerConfig,
        steps: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.learner = Learner(model, objective)
        self.optimizer_config, self.trainer_config = optimizer, trainer
        self.steps, self.seed = steps, seed
        self.step = 0
        self.validation: dict[str, float] = {}
        self.losses: list[Tensor] = []
        self.norms: list[Tensor] = []
        self.average: MovingAverage | None = None
        self._scores: list[tuple[Tensor, ...]] = []
        self._parts: list[Tensor] = []

    @property
    def model(self) -> PreTrainedModel:
        return self.learner.model

    @property
    def objective(self) -> Objective:
        return self.learner.objective

    def configure_model(self) -> None:
        """What changes how the model computes, not what: sharding, recomputed activations, compilation."""
        config = self.trainer_config
        if not architecture_of(self.model.config).own_attention:
            for part in self.learner.modules():
                if isinstance(part, PreTrainedModel):
                    part.set_attn_implementation(ATTENTION)
        if config.strategy == "fsdp" and config.devices > 1:
            self._shard()
        if config.checkpoint_activations:
            self.model.gradient_checkpointing_enable({"use_reentrant": False})
        if config.compile:
            self.model.base_model.compile(dynamic=True)

    def configure_optimizers(self) -> Optimizer:
        if self.optimizer_config.average_decay:
            self.average = MovingAverage(self.model, self.optimizer_config.average_decay, self.learner.beside())
        make = OPTIMIZERS[self.optimizer_config.optimizer]
        return make(self.model, self.optimizer_config, self.learner.beside().values())

    def training_step(self, batch: Batch, index: int) -> Tensor:
        accumulate, world = self.trainer_config.accumulate, ranks.world_size()
        micro = index % accumulate
        part = (self.step * accumulate + micro) * world + ranks.rank()
        # Dropout draws from the global generators: seeded here, a step's masks depend on its number alone.
        # Not by torch.manual_seed: for kinds of GPU not in use it writes down the call stack, most of a millisecond.
        seed = derived_seed(self.seed, "dropout", part)
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)
        loss: Tensor = self.learner(batch, validating=False)
        self._parts.append(loss.detach())
        # Lightning divides by the micro-batches, the ranks' gradients are averaged: the parts' losses are to add up.
        parts = accumulate * world
        return loss if parts == 1 else loss * parts

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        config = self.optimizer_config
        rate = config.learning_rate * learning_rate_factor(
            config.schedule, self.step, self.steps, config.warmup_fraction
        )
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("rate_factor", 1.0)
        norm = torch.nn.utils.clip_grad_norm_(self.learner.parameters(), config.gradient_clip)
        self.norms.append(norm.detach())

    def optimizer_step(self, *arguments: Any, **options: Any) -> None:
        super().optimizer_step(*arguments, **options)
        self._finish_step()

    def _finish_step(self) -> None:
        """Count the step and take its loss together from its micro-batches."""
        self.step += 1
        self.losses.append(self._parts[0] if len(self._parts) == 1 else torch.stack(self._parts).sum())
        self._parts = []
        if self.average is not None:
            self.average.update(self.step)

    def on_validation_epoch_start(self) -> None:
        self._scores = []
        if self.average is not None:
            self.average.swap()

    def validation_step(self, batch: Batch, index: int) -> None:
        self._scores.append(self.learner(batch, validating=True))

    def on_validation_epoch_end(self) -> None:
        batches = self.trainer.datamodule.batches  # type: ignore[attr-defined]
        self.validation = self.objective.summary(_in_order(self._scores, batches.validation_count))
        self._scores = []

    def on_validation_end(self) -> None:
        # After the callbacks, which keep the best weights: the averaged ones, where there is an average.
        if self.average is not None:
            self.average.swap()

    @contextmanager
    def trained_weights(self) -> Iterator[None]:
        """In a validation: the weights that are trained, instead of their average."""
        if self.average is not None:
            self.average.swap()
        yield
        if self.average is not None:
            self.average.swap()

    def _shard(self) -> None:
        """Divide parameters among the ranks (FSDP2), on a copy: the model that came in stays whole."""
        from torch.distributed.fsdp import fully_shard

        learner = copy.deepcopy(self.learner)
        assert self.device_mesh is not None
        mesh = self.device_mesh["data_parallel"]
        for layer in layers_of(learner.model):
            fully_shard(layer, mesh=mesh)
        fully_shard(learner, mesh=mesh)
        self.learner = learner


def _in_order(scores: list[tuple[Tensor, ...]], count: int) -> list[tuple[Tensor, ...]]:
    """The scores of all ranks' batches, in the order of the batches."""
    if ranks.world_size() == 1:
        return scores
    spread = [[ranks.all_gather_ragged(tensor.contiguous()) for tensor in score] for score in scores]
    in_order = [
        tuple(tensors[rank].cpu() for tensors in score) for score in spread for rank in range(ranks.world_size())
    ]
    return in_order[:count]
