"""The one LightningModule: pretraining, fine-tuning and distillation differ in the objective they plug in."""

from __future__ import annotations

import math
from typing import Any

import torch
from pytorch_lightning import LightningModule
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel

from components.modeling.objectives import Batch, Objective
from components.params import OptimizerConfig
from components.training.randomness import derived_seed


class LanguageModule(LightningModule):
    """A transformers model that learns an objective by AdamW over a known number of steps.

    `validation` holds the metrics of the last validation.
    """

    def __init__(
        self, model: PreTrainedModel, objective: Objective, optimizer: OptimizerConfig, steps: int, seed: int
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = objective
        self.optimizer_config = optimizer
        self.steps = steps
        self.seed = seed
        self.validation: dict[str, float] = {}
        self._scores: list[tuple[Tensor, ...]] = []

    def training_step(self, batch: Batch, step: int) -> Tensor:
        # Dropout draws from the global generators: seeded here, a step's masks depend on its number alone.
        torch.manual_seed(derived_seed(self.seed, "dropout", step))
        return self.objective.loss(self.model, batch)

    def on_validation_epoch_start(self) -> None:
        self._scores = []

    def validation_step(self, batch: Batch, step: int) -> None:
        self._scores.append(self.objective.score(self.model, batch))

    def on_validation_epoch_end(self) -> None:
        self.validation = self.objective.summary(self._scores)
        self._scores = []

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        config = self.optimizer_config
        optimizer = AdamW(decay_groups(self.model, config.weight_decay), lr=config.learning_rate, fused=True)
        schedule = LambdaLR(optimizer, lambda step: learning_rate_factor(step, self.steps, config.warmup_fraction))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameters in two groups: matrices decay; norms and biases, which have one dimension, do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def learning_rate_factor(step: int, steps: int, warmup_fraction: float) -> float:
    """Share of the peak learning rate at a step counted from 0: linear warm-up, then a cosine down to zero."""
    warmup = round(steps * warmup_fraction)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(steps - warmup, 1)))
