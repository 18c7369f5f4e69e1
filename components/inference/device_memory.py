"""The GPU's memory for one call of an engine: held by cuda-python where it is installed, else by torch."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from components.errors import EngineError

NO_GPU = "an NVIDIA GPU with a driver for this engine's CUDA version is needed to run it"


class Device(Protocol):
    """One GPU and one stream on it."""

    @property
    def stream(self) -> int:
        """The address of its stream."""

    def upload(self, array: np.ndarray) -> int:
        """The address of a copy on the GPU."""

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype) -> int:
        """The address of room for such an array; never 0, not even for an empty one."""

    def download(self, address: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """A copy of what lies at an address, once the stream is done."""

    def free(self) -> None:
        """Give back everything that was allocated since the last time."""


def open_device() -> Device:
    """The first GPU. Raises EngineError without one."""
    if find_spec("cuda") is not None and find_spec("cuda.bindings") is not None:
        return CudaPython()
    if find_spec("torch") is not None:
        return Torch()
    raise EngineError("nothing here can hold the GPU's memory", "pip install cuda-python")


class CudaPython:
    """NVIDIA's cuda-python: the CUDA runtime, whose calls answer (error, value…)."""

    def __init__(self) -> None:
        from cuda.bindings import runtime

        self.runtime = runtime
        self.held: list[int] = []
        self.stream = int(self._call(runtime.cudaStreamCreate()))

    def upload(self, array: np.ndarray) -> int:
        whole = np.ascontiguousarray(array)
        address = self._hold(whole.nbytes)
        kind = self.runtime.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._call(self.runtime.cudaMemcpyAsync(address, whole.ctypes.data, whole.nbytes, kind, self.stream))
        # The host's memory may go once this returns, and is not pinned.
        self._call(self.runtime.cudaStreamSynchronize(self.stream))
        return address

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype) -> int:
        return self._hold(int(np.prod(shape)) * dtype.itemsize)

    def download(self, address: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        array = np.empty(shape, dtype)
        kind = self.runtime.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._call(self.runtime.cudaMemcpyAsync(array.ctypes.data, address, array.nbytes, kind, self.stream))
        self._call(self.runtime.cudaStreamSynchronize(self.stream))
        return array

    def free(self) -> None:
        while self.held:
            self._call(self.runtime.cudaFreeAsync(self.held.pop(), self.stream))

    def _hold(self, size: int) -> int:
        self.held.append(int(self._call(self.runtime.cudaMallocAsync(max(1, size), self.stream))))
        return self.held[-1]

    def _call(self, answer: tuple[Any, ...]) -> Any:
        error, *values = answer
        if int(error):
            raise EngineError(f"CUDA: {error.name}", NO_GPU)
        return values[0] if values else None


class Torch:
    """PyTorch's allocator."""

    def __init__(self) -> None:
        import torch

        if not torch.cuda.is_available():
            raise EngineError("PyTorch sees no GPU", NO_GPU)
        self.torch = torch
        self.held: dict[int, Any] = {}
        self.own = torch.cuda.Stream()
        self.stream = int(self.own.cuda_stream)

    def upload(self, array: np.ndarray) -> int:
        with self.torch.cuda.stream(self.own):
            return self._hold(self.torch.from_numpy(np.ascontiguousarray(array)).cuda())

    def allocate(self, shape: tuple[int, ...], dtype: np.dtype) -> int:
        with self.torch.cuda.stream(self.own):
            kind = self.torch.from_numpy(np.empty(0, dtype)).dtype
            return self._hold(self.torch.empty(shape, dtype=kind, device="cuda"))

    def download(self, address: int, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        with self.torch.cuda.stream(self.own):
            array: np.ndarray = self.held[address].cpu().numpy()
        return array.reshape(-1)[: int(np.prod(shape))].reshape(shape)

    def free(self) -> None:
        self.held.clear()

    def _hold(self, tensor: Any) -> int:
        # torch gives an empty tensor the address 0, which TensorRT refuses.
        room = tensor if tensor.numel() else self.torch.zeros(1, dtype=tensor.dtype, device="cuda")
        self.held[room.data_ptr()] = room
        return int(room.data_ptr())
