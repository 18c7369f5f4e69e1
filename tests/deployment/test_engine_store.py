from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from components.deployment.engine_store import KEPT, engine_file
from components.deployment.engines import ENGINES, OnnxRuntime, Profile
from components.errors import EngineError
from tests.small_ladder import Ladder

PROFILE = Profile(4, 24)
RTX = ENGINES["tensorrt-rtx"]
needs_rtx = pytest.mark.skipif(RTX.available() is not None, reason=f"{RTX.available()}")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_onnxruntime_stores_nothing(ladder: Ladder, store: Path) -> None:
    graph = ladder.onnx / "model.onnx"
    assert engine_file(OnnxRuntime(), graph, PROFILE) == graph
    assert not store.exists()


@needs_rtx
def test_an_engine_is_built_once_for_a_graph_and_a_profile(ladder: Ladder, store: Path) -> None:
    graph = ladder.onnx / "model.onnx"
    path = engine_file(RTX, graph, PROFILE)
    assert path.is_relative_to(store / "engines" / "tensorrt-rtx")
    built = path.stat().st_mtime_ns
    assert engine_file(RTX, graph, PROFILE) == path
    assert path.stat().st_mtime_ns == built
    assert engine_file(RTX, graph, Profile(8, 24)) != path


@dataclass(frozen=True)
class QuickEngine(OnnxRuntime):
    """Builds in no time."""

    name: str = "quick"
    writes: str = "model.engine"  # type: ignore[assignment]

    def build(self, onnx: Path, folder: Path, profile: Profile) -> Path:
        (folder / self.writes).write_bytes(onnx.read_bytes())
        return folder / self.writes


def test_the_store_forgets_the_oldest_engines(ladder: Ladder, store: Path) -> None:
    paths = [engine_file(QuickEngine(), ladder.onnx / "model.onnx", Profile(1, 1 + n)) for n in range(KEPT + 2)]
    assert [path.exists() for path in paths] == [False, False] + [True] * KEPT


@needs_rtx
def test_a_failed_build_leaves_nothing_behind(tmp_path: Path, store: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineError):
        engine_file(RTX, tmp_path / "model.onnx", PROFILE)
    assert not [path for path in store.rglob("*") if path.is_file()]
