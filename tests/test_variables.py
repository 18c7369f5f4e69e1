"""components.variables: numbers of the environment, or two lines."""

from __future__ import annotations

import pytest

from components.errors import ParameterError
from components.variables import check_variables, checkpoint_seconds, gpu_wait_seconds, loader_workers, workers

NUMBERS = ("LIANZI_CHECKPOINT_SECONDS", "LIANZI_GPU_WAIT_SECONDS", "LIANZI_LOADER_WORKERS", "LIANZI_WORKERS")


@pytest.mark.parametrize("given", ["abc", "-1", "nan", "inf", "1 s"])
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_is_told_in_two_lines(monkeypatch: pytest.MonkeyPatch, name: str, given: str) -> None:
    monkeypatch.setenv(name, given)
    with pytest.raises(ParameterError) as refusal:
        check_variables()
    first, second = str(refusal.value).splitlines()
    assert first.startswith(f"{name}={given}: not a number of ")
    assert second.endswith("or unset it")


def test_numbers_are_taken_and_what_is_not_set_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NUMBERS:
        monkeypatch.delenv(name, raising=False)
    assert (checkpoint_seconds(), gpu_wait_seconds(), loader_workers(), workers()) == (60.0, 600.0, 0, None)
    monkeypatch.setenv("LIANZI_CHECKPOINT_SECONDS", "0")
    monkeypatch.setenv("LIANZI_LOADER_WORKERS", "2")
    monkeypatch.setenv("LIANZI_WORKERS", "")
    assert (checkpoint_seconds(), loader_workers(), workers()) == (0.0, 2, None)
