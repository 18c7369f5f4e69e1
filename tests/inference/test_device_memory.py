from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from components.errors import EngineError
from components.inference import device_memory
from components.inference.device_memory import CudaPython, open_device
from components.inference.nvidia import nvidia_host


class Runtime:
    """As much of cuda.bindings.runtime as is used, on the host's own memory."""

    class cudaMemcpyKind:  # noqa: N801
        cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost = 1, 2  # noqa: N815

    def __init__(self) -> None:
        self.blocks: dict[int, np.ndarray] = {}

    def cudaMallocAsync(self, size: int, stream: int) -> tuple[int, int]:  # noqa: N802
        block = np.empty(size, dtype=np.uint8)
        self.blocks[block.ctypes.data] = block
        return 0, block.ctypes.data

    def cudaFreeAsync(self, address: int, stream: int) -> tuple[int]:  # noqa: N802
        del self.blocks[address]
        return (0,)

    def cudaMemcpyAsync(self, target: int, source: int, size: int, kind: int, stream: int) -> tuple[int]:  # noqa: N802
        import ctypes

        ctypes.memmove(target, source, size)
        return (0,)

    def cudaStreamSynchronize(self, stream: int) -> tuple[int]:  # noqa: N802
        return (0,)


def memory() -> CudaPython:
    device = CudaPython.__new__(CudaPython)
    device.runtime, device.held, device.stream = Runtime(), [], 7
    return device


def test_what_is_uploaded_comes_back() -> None:
    device = memory()
    array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]  # not contiguous
    found = device.download(device.upload(array), array.shape, array.dtype)
    assert np.array_equal(found, array)


def test_an_empty_array_has_an_address_too() -> None:
    device = memory()
    assert device.upload(np.empty((1, 4, 0, 16), dtype=np.float32)) != 0
    assert device.allocate((1, 0), np.dtype(np.int64)) != 0


def test_everything_is_given_back() -> None:
    device = memory()
    device.allocate((4, 4), np.dtype(np.float32))
    device.upload(np.ones(3))
    assert len(device.runtime.blocks) == 2
    device.free()
    assert not device.runtime.blocks


def test_an_error_of_cuda_is_told_by_its_name() -> None:
    class Error(int):
        name = "cudaErrorMemoryAllocation"

    device = memory()
    device.runtime.cudaMallocAsync = lambda size, stream: (Error(2), None)
    with pytest.raises(EngineError, match="CUDA: cudaErrorMemoryAllocation"):
        device.allocate((1,), np.dtype(np.float32))


@pytest.mark.skipif(nvidia_host().device is not None, reason="there is a GPU here")
@pytest.mark.parametrize("there", ["cuda", "torch", ""])
def test_without_a_gpu_nothing_holds_memory(there: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if there == "cuda" and find_spec("cuda") is None:
        pytest.skip("cuda-python is not installed")

    def find(name: str) -> Any:
        return there and name.startswith(there) and find_spec(name)

    monkeypatch.setattr(device_memory, "find_spec", lambda name: find(name) or None)
    with pytest.raises(EngineError, match=r"CUDA: cudaError|PyTorch sees no GPU|nothing here can hold"):
        open_device()
