"""cli.resource_check: what will not fit is refused with what to change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psutil
import pytest

from cli import resource_check
from cli.resource_check import check_fits
from components.errors import DoesNotFit
from components.params import Params

GIGABYTE = 10**9


def profile(fixed: float, activations: float, peak: float | None = None, **changes: Any) -> dict[str, Any]:
    measured = None if peak is None else {"peak_memory": peak * GIGABYTE, "peak_gpu_memory": peak * GIGABYTE}
    return {
        "fixed_memory": fixed * GIGABYTE,
        "activations": activations * GIGABYTE,
        "measured": measured,
        "gpu_memory_free": 0,
        "processes": 1,
        "disk": GIGABYTE,
        **changes,
    }


def refusal(params: Params, found: dict[str, Any], memory: float = 20, disk: float = 10) -> str:
    with pytest.raises(DoesNotFit) as refused:
        check_fits("pretrain", found, params, int(memory * GIGABYTE), int(disk * GIGABYTE))
    assert len(str(refused.value).splitlines()) == 2
    return str(refused.value)


def test_what_fits_passes(params: Params) -> None:
    check_fits("pretrain", profile(5, 10, peak=19), params, 20 * GIGABYTE, 10 * GIGABYTE)


def test_a_batch_too_large_is_told_its_size(params: Params) -> None:
    large = params.model_copy(update={"pretrain": params.pretrain.model_copy(update={"batch_size": 160})})
    told = refusal(large, profile(8, 20, peak=28))
    assert "pretrain needs 28.0 GB of memory, this machine has 20.0 GB free" in told
    # 90 % of 20 GB less the 8 that stay leave half of what 160 rows take.
    assert "lower pretrain.batch_size to 80, or set trainer.accumulate to 3" in told
    assert "or set trainer.checkpoint_activations to true" in told


def test_a_model_too_large_is_told_the_size_that_fits(params: Params) -> None:
    assert "lower model.width to about 64" in refusal(params, profile(160, 1))
    narrow = params.model_copy(update={"model": params.model.model_copy(update={"depth": 2, "width": None})})
    assert "lower model.depth to about 1" in refusal(narrow, profile(160, 1))
    started = params.model_copy(update={"pretrain": params.pretrain.model_copy(update={"init_from": "large"})})
    assert "choose a smaller pretrain.init_from" in refusal(started, profile(160, 1))


def test_the_gpu_is_asked_where_there_is_one(params: Params) -> None:
    assert "the GPU has 12.0 GB free" in refusal(params, profile(8, 20, gpu_memory_free=12 * GIGABYTE))


def test_a_full_disk_is_told(params: Params) -> None:
    told = refusal(params, profile(1, 1, peak=2, disk=50 * GIGABYTE))
    assert "pretrain needs 50.0 GB of disk, 10.0 GB are free here" in told


def test_a_container_with_less_than_the_machine_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 300000\n")
    monkeypatch.setattr(resource_check, "CGROUP", tmp_path)
    assert resource_check.free_memory() == 400_000


def test_without_a_limit_it_is_what_the_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource_check, "CGROUP", tmp_path)
    assert 0 < resource_check.free_memory() <= psutil.virtual_memory().total
    for name, text in (("memory.max", "max\n"), ("memory.current", "1\n"), ("memory.stat", "")):
        (tmp_path / name).write_text(text)
    assert resource_check.free_memory() > 1_000_000
    assert resource_check.free_disk(tmp_path) > 0
