from __future__ import annotations

import ctypes
from typing import Any

import pytest

from components.inference import nvidia
from components.inference.nvidia import Host, nvidia_host


class Driver:
    """As much of libcuda and libnvidia-ml as is asked; `fails` names the call that answers with an error."""

    def __init__(self, fails: str = "") -> None:
        self.fails = fails

    def __getattr__(self, call: str) -> Any:
        answer = getattr(type(self), f"_{call}", lambda *_: 0)
        return lambda *given: 1 if call == self.fails else answer(self, *given)

    def _cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = 13010
        return 0

    def _cuDeviceGetName(self, name: Any, length: int, device: Any) -> int:  # noqa: N802
        name.value = b"NVIDIA Test"
        return 0

    def _cuDeviceGetAttribute(self, value: Any, number: int, device: Any) -> int:  # noqa: N802
        value._obj.value = {nvidia.MAJOR: 9, nvidia.MINOR: 0}[number]
        return 0

    def _nvmlSystemGetDriverVersion(self, version: Any, length: int) -> int:  # noqa: N802
        version.value = b"580.65.06"
        return 0


def load(monkeypatch: pytest.MonkeyPatch, driver: Driver) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: driver)


def test_the_driver_tells_what_an_engine_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    load(monkeypatch, Driver())
    assert nvidia_host() == Host("NVIDIA Test", "9.0", "13.1", "580.65.06")


@pytest.mark.parametrize("call", ["cuInit", "cuDriverGetVersion", "cuDeviceGet"])
def test_a_driver_without_a_gpu_is_no_gpu(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    load(monkeypatch, Driver(fails=call))
    assert nvidia_host() == Host()


def test_without_a_driver_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert nvidia_host() == Host()
