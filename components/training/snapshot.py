"""The state of a training as full tensors on the CPU, independent of the number of ranks.

A state saved on two ranks loads on one or on four: sharded tensors (DTensor) are unsharded when saved and sharded again
when loaded. Keys are the model's parameter names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from components.training.optimizers import set_state, state_of


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Copies of all parameters and persistent buffers on the CPU; tied weights once. Every rank has to call it."""
    return {name: to_full_cpu(tensor) for name, tensor in _named(model)}


@torch.no_grad()
def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load weights into the model, in place."""
    for name, tensor in _named(model):
        tensor.copy_(shard_like(weights[name], tensor))


def optimizer_state_of(model: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimizer's state by PARAMETER/KEY. Every rank has to call it."""
    return {
        f"{name}/{key}": to_full_cpu(value)
        for name, parameter in model.named_parameters()
        for key, value in state_of(optimizer, parameter).items()
    }


def load_optimizer_state(model: nn.Module, optimizer: Optimizer, state: Mapping[str, Tensor]) -> None:
    """Load the optimizer's state."""
    kept: dict[str, dict[str, Tensor]] = {}
    for path, value in state.items():
        name, _, key = path.rpartition("/")
        kept.setdefault(name, {})[key] = value
    for name, parameter in model.named_parameters():
        if name in kept:
            set_state(
                optimizer,
                parameter,
                {
                    key: value.to(parameter.device, copy=True) if value.ndim == 0 else shard_like(value, parameter)
                    for key, value in kept[name].items()
                },
            )


def to_full_cpu(tensor: Tensor) -> Tensor:
    """A copy of the full tensor on the CPU."""
    tensor = tensor.detach()
    if isinstance(tensor, DTensor):
        tensor = tensor.full_tensor()
    return tensor.to("cpu", copy=True).contiguous()


def shard_like(value: Tensor, pattern: Tensor) -> Tensor:
    """A full tensor on the device of `pattern`, sharded as `pattern` is."""
    if isinstance(pattern, DTensor):
        return distribute_tensor(value.to(pattern.device), pattern.device_mesh, pattern.placements)
    return value.to(pattern.device, copy=True)


def _named(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    kept = model.state_dict(keep_vars=True).keys()
    yield from ((name, parameter) for name, parameter in model.named_parameters())
    yield from ((name, buffer) for name, buffer in model.named_buffers() if name in kept)


class MovingAverage:
    """An exponential moving average of the weights (Polyak & Juditsky 1992), validated and saved in their place.

    Over about 1 / (1 - decay) steps, fewer at the beginning.
    """

    def __init__(
        self, model: nn.Module, decay: float, beside: Mapping[str, nn.Parameter] = MappingProxyType({})
    ) -> None:
        """`beside`: weights that are trained with the model's, by names that it does not have."""
        self.decay = decay
        every = {**dict(model.named_parameters()), **beside}
        self.parameters = {name: parameter for name, parameter in every.items() if parameter.requires_grad}
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
