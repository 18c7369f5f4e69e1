"""What NVIDIA GPU and driver are here, asked of the driver's own libraries: no CUDA toolkit, no torch is needed."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

MAJOR, MINOR = 75, 76
"""CUdevice_attribute: the two halves of the compute capability."""


@dataclass(frozen=True)
class Host:
    """What an engine was built on; None where it is not there or does not matter."""

    device: str | None = None
    compute_capability: str | None = None
    cuda: str | None = None
    driver: str | None = None


def nvidia_host() -> Host:
    """The first visible GPU, the CUDA version of its driver, and the driver; all None without one."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return Host()
    version, device = ctypes.c_int(), ctypes.c_int()
    if cuda.cuInit(0) or cuda.cuDriverGetVersion(ctypes.byref(version)) or cuda.cuDeviceGet(ctypes.byref(device), 0):
        return Host()
    name = ctypes.create_string_buffer(256)
    cuda.cuDeviceGetName(name, len(name), device)
    capability = [_attribute(cuda, number, device) for number in (MAJOR, MINOR)]
    return Host(
        device=name.value.decode(),
        compute_capability=".".join(map(str, capability)),
        cuda=f"{version.value // 1000}.{version.value % 1000 // 10}",
        driver=_driver(),
    )


def _attribute(cuda: ctypes.CDLL, number: int, device: ctypes.c_int) -> int:
    value = ctypes.c_int()
    cuda.cuDeviceGetAttribute(ctypes.byref(value), number, device)
    return value.value


def _driver() -> str | None:
    try:
        management = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    version = ctypes.create_string_buffer(80)
    if management.nvmlInit_v2() or management.nvmlSystemGetDriverVersion(version, len(version)):
        return None
    return version.value.decode()
