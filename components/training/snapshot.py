"""The state of a training as plain tensors on the CPU, whole whatever number of ranks it is spread over.

Saved on two ranks it can be read on one or on four: a sharded tensor (DTensor) is put together on the way out and
divided on the way in. Keys are the model's own parameter names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from components.training.optimizers import set_state, state_of


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter and kept buffer, copied to the CPU; tied weights stand once. All ranks must ask."""
    return {name: whole(tensor) for name, tensor in _named(model)}


@torch.no_grad()
def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Put weights back, in place."""
    for name, tensor in _named(model):
        tensor.copy_(like(weights[name], tensor))


def optimizer_state_of(model: nn.Module, optimizer: Optimizer) -> dict[str, Tensor]:
    """What the optimizer keeps, as PARAMETER/KEY. All ranks must ask."""
    return {
        f"{name}/{key}": whole(value)
        for name, parameter in model.named_parameters()
        for key, value in state_of(optimizer, parameter).items()
    }


def load_optimizer_state(model: nn.Module, optimizer: Optimizer, state: Mapping[str, Tensor]) -> None:
    """Put an optimizer's state back."""
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
                    key: value.to(parameter.device, copy=True) if value.ndim == 0 else like(value, parameter)
                    for key, value in kept[name].items()
                },
            )


def whole(tensor: Tensor) -> Tensor:
    """A copy on the CPU; of a sharded tensor, put together."""
    tensor = tensor.detach()
    if isinstance(tensor, DTensor):
        tensor = tensor.full_tensor()
    return tensor.to("cpu", copy=True).contiguous()


def like(value: Tensor, pattern: Tensor) -> Tensor:
    """A whole tensor on the device, and divided in the way, of another."""
    if isinstance(pattern, DTensor):
        return distribute_tensor(value.to(pattern.device), pattern.device_mesh, pattern.placements)
    return value.to(pattern.device, copy=True)


def _named(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    kept = model.state_dict(keep_vars=True).keys()
    yield from ((name, parameter) for name, parameter in model.named_parameters())
    yield from ((name, buffer) for name, buffer in model.named_buffers() if name in kept)
