"""An entry is there whole or not at all, and goes when nobody has used it for some runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.tokenization import cache


def fill(folder: Path, key: str, content: str = "tokens") -> None:
    with cache.new_entry(folder, key) as (entry, counts):
        (entry / "00000.bin").write_text(content)
        counts["parts"] = [6]


def test_an_entry_comes_back_with_its_counts(tmp_path: Path) -> None:
    fill(tmp_path, "a")
    found = cache.find(tmp_path, "a")
    assert found is not None
    assert found["parts"] == [6]
    assert cache.find(tmp_path, "b") is None


def test_an_entry_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    writing = cache.new_entry(tmp_path, "a")
    entry, _ = writing.__enter__()
    (entry / "00000.bin").write_text("half")
    writing.__exit__(RuntimeError, RuntimeError(), None)
    assert cache.find(tmp_path, "a") is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["changed", "missing", "counts"])
def test_a_damaged_entry_is_removed(tmp_path: Path, damage: str) -> None:
    fill(tmp_path, "a")
    path = tmp_path / "a" / ("counts.json" if damage == "counts" else "00000.bin")
    path.write_text("tokenz")
    if damage == "missing":
        path.unlink()
    assert cache.find(tmp_path, "a") is None
    assert not (tmp_path / "a").exists()


def test_an_entry_that_another_process_made_meanwhile_stays(tmp_path: Path) -> None:
    with cache.new_entry(tmp_path, "a") as (entry, _):
        (entry / "00000.bin").write_text("tokens")
        fill(tmp_path, "a")
    assert cache.find(tmp_path, "a") is not None
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_what_the_last_three_different_runs_did_not_use_is_pruned(tmp_path: Path) -> None:
    for used in ("ae", "be", "ce", "ce"):
        for key in used:
            fill(tmp_path, key)
        cache.prune(tmp_path, set(used))
    assert cache.find(tmp_path, "a") is not None
    fill(tmp_path, "d")
    cache.prune(tmp_path, {"d", "e"})
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["b", "c", "d", "e"]


def test_half_written_entries_go_once_they_are_old(tmp_path: Path) -> None:
    for name, age in ((".old.partial", 2 * cache.STALE_SECONDS), (".new.partial", 0)):
        (tmp_path / name).mkdir()
        at = (tmp_path / name).stat().st_mtime - age
        os.utime(tmp_path / name, (at, at))
    cache.prune(tmp_path, set())
    assert [path.name for path in tmp_path.glob(".*.partial")] == [".new.partial"]


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path))
    assert cache.cache_folder() == tmp_path / "tokens"
    monkeypatch.delenv("LIANZI_CACHE")
    monkeypatch.chdir(tmp_path)
    assert cache.cache_folder() == tmp_path / ".cache" / "tokens"
