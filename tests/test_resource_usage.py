"""components.resource_usage: what a stage took, beside what was predicted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from components import resource_usage
from components.artifacts import write_json
from components.params import Params


def test_peak_memory_stays_after_the_memory_is_freed() -> None:
    before = resource_usage.peak_memory()
    held = bytearray(50_000_000)
    held[::4096] = b"x" * len(held[::4096])
    del held
    assert resource_usage.peak_memory() >= max(before, 40_000_000)


def test_an_outcome_has_seconds_memory_and_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_bytes(b"x" * 600_000)
    (tmp_path / "b").write_bytes(b"x" * 400_000)
    read = resource_usage.size_of([tmp_path / "folder", tmp_path / "b", tmp_path / "missing"])
    found = resource_usage.outcome(time.time() - 5, read, processes=2)
    assert found["seconds"] == pytest.approx(5, abs=1)
    assert found["input_megabytes"] == 1.0
    assert found["peak_memory_megabytes"] == pytest.approx(2 * resource_usage.peak_memory() / 1e6, rel=0.01)


def test_this_process_began_before_now() -> None:
    assert 0 < time.time() - resource_usage.process_start() < 86_400


def test_a_prediction_is_found_under_its_parameters_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: Params
) -> None:
    monkeypatch.chdir(tmp_path)
    sections = {"config": params.pretrain, "model": params.model}
    assert resource_usage.prediction("pretrain", sections) == {}
    write_json(resource_usage.PLAN, {"pretrain": {resource_usage.prediction_key(sections): {"seconds": 9.0}}})
    # The stage calls its own section `config`, the plan calls it by its name.
    assert resource_usage.prediction("pretrain", {"model": params.model, "pretrain": params.pretrain}) == {
        "seconds": 9.0
    }
    other = params.pretrain.model_copy(update={"steps": 1})
    assert resource_usage.prediction("pretrain", {"config": other, "model": params.model}) == {}
    resource_usage.PLAN.write_text("{")
    assert resource_usage.prediction("pretrain", sections) == {}
