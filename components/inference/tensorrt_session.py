"""A TensorRT engine at work: one execution context a profile, the smallest profile that fits a call."""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import Any

import numpy as np

from components.errors import EngineError
from components.inference.device_memory import Device
from components.inference.profiles import GraphTensor
from components.inference.sessions import Arrays, Session, shapes


class TensorRTSession(Session):
    """Runs on the GPU. One thread asks at a time: a context holds one call's shapes and addresses."""

    def __init__(self, name: str, api: Any, runtime: Any, engine: Any, device: Device, logger: Any) -> None:
        self.name, self.api, self.engine, self.device, self.logger = name, api, engine, device, logger
        self.runtime = runtime  # the engine's code lives in it
        self.contexts: dict[int, Any] = {}
        self.lock = Lock()

    @cached_property
    def inputs(self) -> tuple[GraphTensor, ...]:
        """Dynamic axes have no names here: an engine drops them."""
        return self._tensors(self.api.TensorIOMode.INPUT)

    @cached_property
    def outputs(self) -> tuple[GraphTensor, ...]:
        return self._tensors(self.api.TensorIOMode.OUTPUT)

    def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        with self.lock:
            try:
                return self._run(feeds)
            finally:
                self.device.free()

    def _run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        self._check(feeds)
        context = self._context(self._profile(feeds))
        for name, value in feeds.items():
            if not context.set_input_shape(name, tuple(value.shape)):
                raise self._failed(feeds, f"{name} was refused")
            self._place(context, name, self.device.upload(value.astype(self._dtype(name), copy=False)))
        if context.infer_shapes():  # the names of what it still misses
            raise self._failed(feeds, f"its outputs' shapes need {', '.join(context.infer_shapes())}")
        made = {output.name: self._room(context, output.name, feeds) for output in self.outputs}
        if not context.execute_async_v3(self.device.stream):
            raise self._failed(feeds, "it failed while running")
        return {name: self.device.download(*place) for name, place in made.items()}

    def _room(self, context: Any, name: str, feeds: Arrays) -> tuple[int, tuple[int, ...], np.dtype]:
        shape, dtype = tuple(int(size) for size in context.get_tensor_shape(name)), self._dtype(name)
        if min(shape, default=0) < 0:  # -1: not known before it has run; and a whole shape of -1: no such tensor
            raise self._failed(feeds, f"the shape of {name} is not known beforehand: {shape}")
        address = self.device.allocate(shape, dtype)
        self._place(context, name, address)
        return address, shape, dtype

    def _place(self, context: Any, name: str, address: int) -> None:
        if not context.set_tensor_address(name, address):
            raise EngineError(f"{self.name} refuses the memory for {name}: {self.logger.last}")

    def _check(self, feeds: Arrays) -> None:
        wanted = {given.name for given in self.inputs}
        if set(feeds) != wanted:
            raise EngineError(f"{self.name} wants {', '.join(sorted(wanted))}, not {', '.join(sorted(feeds))}")

    def _profile(self, feeds: Arrays) -> int:
        """The number of the first profile, so the smallest, that every input lies in. Raises EngineError."""
        for number in range(self.engine.num_optimization_profiles):
            if all(_inside(value.shape, *self._limits(name, number)) for name, value in feeds.items()):
                return number
        last = self.engine.num_optimization_profiles - 1
        largest = ", ".join(f"{name} {self._limits(name, last)[1]}" for name in feeds)
        raise self._failed(feeds, f"it lies outside the engine's profiles, which end at {largest}")

    def _limits(self, name: str, number: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        smallest, _, largest = self.engine.get_tensor_profile_shape(name, number)
        return tuple(smallest), tuple(largest)

    def _context(self, number: int) -> Any:
        """A context of its own for each profile: changing a context's profile waits for the GPU."""
        if number not in self.contexts:
            context = self.engine.create_execution_context()
            if context is None:
                raise EngineError(f"{self.name} cannot make an execution context: {self.logger.last}")
            if not context.set_optimization_profile_async(number, self.device.stream):
                raise EngineError(f"{self.name} cannot take profile {number}: {self.logger.last}")
            self.contexts[number] = context
        return self.contexts[number]

    def _tensors(self, mode: Any) -> tuple[GraphTensor, ...]:
        names = [self.engine.get_tensor_name(number) for number in range(self.engine.num_io_tensors)]
        return tuple(
            GraphTensor(
                name,
                str(self._dtype(name)),
                tuple("" if size < 0 else int(size) for size in self.engine.get_tensor_shape(name)),
            )
            for name in names
            if self.engine.get_tensor_mode(name) == mode
        )

    def _dtype(self, name: str) -> np.dtype:
        """numpy's type of a tensor. Raises EngineError for those that it has not."""
        kind = self.engine.get_tensor_dtype(name)
        try:
            return np.dtype(self.api.nptype(kind))
        except TypeError:
            raise EngineError(f"{self.name}: {name} is {kind}, which numpy has not") from None

    def _failed(self, feeds: Arrays, why: str) -> EngineError:
        reason = f" ({self.logger.last})" if self.logger.last else ""
        return EngineError(f"{self.name} failed on {shapes(feeds)}: {why}{reason}")


def _inside(shape: tuple[int, ...], smallest: tuple[int, ...], largest: tuple[int, ...]) -> bool:
    return len(shape) == len(smallest) and all(
        low <= size <= high for low, size, high in zip(smallest, shape, largest, strict=True)
    )
