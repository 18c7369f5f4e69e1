"""flows.capacity: what is free, by the machine's account and the container's."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from flows import capacity


def test_a_container_with_less_than_the_machine_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 100\ninactive_file 300000\n")
    monkeypatch.setattr(capacity, "CGROUP", tmp_path)
    assert capacity.free_memory() == 400_000


def test_without_a_limit_it_is_what_the_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "CGROUP", tmp_path)
    assert 0 < capacity.free_memory() <= psutil.virtual_memory().total
    for name, text in (("memory.max", "max\n"), ("memory.current", "1\n"), ("memory.stat", "")):
        (tmp_path / name).write_text(text)
    assert capacity.free_memory() > 1_000_000
    assert capacity.free_disk(tmp_path) > 0
