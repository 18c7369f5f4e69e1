"""An exponential moving average of the weights (Polyak & Juditsky 1992): validated and kept in their place."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from components.training.snapshot import like, whole


class MovingAverage:
    """The average over about 1 / (1 - decay) steps, younger in the first ones."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
        self.average = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after a step, counted from 1."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1.0 - decay)

    def whole(self) -> dict[str, Tensor]:
        """The average, put together from all ranks. All of them must ask."""
        return {name: whole(tensor) for name, tensor in self.average.items()}

    @torch.no_grad()
    def load(self, average: dict[str, Tensor]) -> None:
        """Take up an average that was kept."""
        for name, tensor in self.average.items():
            tensor.copy_(like(average[name], tensor))

    @torch.no_grad()
    def swap(self) -> None:
        """Put the average into the model and keep the model's weights, or the other way round."""
        for name, parameter in self.parameters.items():
            held: Tensor = parameter.detach().clone()
            parameter.copy_(self.average[name])
            self.average[name].copy_(held)
