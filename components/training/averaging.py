"""An exponential moving average of the weights (Polyak & Juditsky 1992): what is validated and saved in their place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from components.training.snapshot import shard_like, to_full_cpu


class MovingAverage:
    """The average over about 1 / (1 - decay) steps, younger in the first ones."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        self.average = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after `step`, counted from 1, to the average."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1.0 - decay)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights on the CPU, unsharded. Every rank has to call it."""
        return {name: to_full_cpu(tensor) for name, tensor in self.average.items()}

    @torch.no_grad()
    def load(self, average: dict[str, Tensor]) -> None:
        """Restore a saved average."""
        for name, tensor in self.average.items():
            tensor.copy_(shard_like(average[name], tensor))

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the model's weights and the average. A second call undoes the first."""
        for name, parameter in self.parameters.items():
            held: Tensor = parameter.detach().clone()
            parameter.copy_(self.average[name])
            self.average[name].copy_(held)
