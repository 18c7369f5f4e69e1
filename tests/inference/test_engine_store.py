from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.errors import EngineError
from components.inference.engine_store import KEPT, engine_file, engine_folder, load_engine, write_status
from components.inference.engines import ENGINES, OnnxRuntime, Profile
from components.inference.fingerprint import FINGERPRINT
from components.inference.nvidia import Host
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
    writes: str = "model.engine"

    def host(self) -> Host:
        return Host("NVIDIA Test", "9.0", "13.1", "580.65.06")

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


def test_an_engine_carries_its_fingerprint(ladder: Ladder, store: Path) -> None:
    path = engine_file(QuickEngine(), ladder.onnx / "model.onnx", PROFILE)
    found = json.loads((path.parent / FINGERPRINT).read_text())
    assert (found["runtime"], found["compute_capability"], found["driver"]) == ("quick", "9.0", "580.65.06")
    assert found["profile"] == "4 rows, 24 tokens"
    assert len(found["onnx"]) == len(found["file"]) == 64


@pytest.mark.parametrize(
    ("field", "other", "told"),
    [
        ("runtime", "slow", "runtime slow; here is runtime quick"),
        ("version", "0.1", "version 0.1; here is version"),
        ("device", "NVIDIA Other", "device NVIDIA Other; here is device NVIDIA Test"),
        ("compute_capability", "8.0", "compute capability 8.0; here is compute capability 9.0"),
        ("cuda", "12.9", "cuda 12.9; here is cuda 13.1"),
        ("driver", None, "driver none; here is driver 580.65.06"),
        ("profile", "1 rows, 2 tokens", "profile 1 rows, 2 tokens; here is profile 4 rows, 24 tokens"),
        ("flags", ["refit"], "flags refit; here is flags none"),
        ("onnx", "0" * 64, "onnx 000000000000; here is onnx"),
    ],
)
def test_an_engine_for_something_else_is_built_again_and_said_so(
    field: str, other: Any, told: str, ladder: Ladder, store: Path
) -> None:
    graph, lines = ladder.onnx / "model.onnx", list[str]()
    path = engine_file(QuickEngine(), graph, PROFILE)
    mark = path.parent / FINGERPRINT
    expected = json.loads(mark.read_text())
    mark.write_text(json.dumps({**expected, field: other}))
    assert engine_file(QuickEngine(), graph, PROFILE, lines.append) == path
    assert len(lines) == 1
    assert lines[0].startswith(f"quick: the engine was built for {told}")
    assert lines[0].endswith(": building it again")
    assert json.loads(mark.read_text()) == expected
    assert engine_file(QuickEngine(), graph, PROFILE, lines.append) == path
    assert len(lines) == 1


def test_an_engine_that_was_changed_is_built_again(ladder: Ladder, store: Path) -> None:
    graph, lines = ladder.onnx / "model.onnx", list[str]()
    path = engine_file(QuickEngine(), graph, PROFILE)
    path.write_bytes(b"something else")
    engine_file(QuickEngine(), graph, PROFILE, lines.append)
    assert lines == ["quick: the engine was changed since it was built: building it again"]
    assert path.read_bytes() == graph.read_bytes()


def test_an_engine_without_a_fingerprint_is_built_again(ladder: Ladder, store: Path) -> None:
    graph, lines = ladder.onnx / "model.onnx", list[str]()
    path = engine_file(QuickEngine(), graph, PROFILE)
    (path.parent / FINGERPRINT).unlink()
    engine_file(QuickEngine(), graph, PROFILE, lines.append)
    assert lines == ["quick: the engine has no fingerprint: building it again"]


def test_flags_and_past_are_engines_of_their_own(ladder: Ladder) -> None:
    graph = ladder.onnx / "model.onnx"
    folders = {
        engine_folder(QuickEngine(), graph, PROFILE),
        engine_folder(QuickEngine(flags=("refit",)), graph, PROFILE),
        engine_folder(QuickEngine(), graph, Profile(4, 24, max_past=8)),
    }
    assert len(folders) == 3


def test_a_status_is_kept_beside_the_engine(ladder: Ladder, store: Path) -> None:
    path = engine_file(QuickEngine(), ladder.onnx / "model.onnx", PROFILE)
    write_status(path.parent, {"status": "built, not run"})
    assert json.loads((path.parent / "status.json").read_text()) == {"status": "built, not run"}
    assert engine_file(QuickEngine(), ladder.onnx / "model.onnx", PROFILE) == path


def test_an_engine_is_loaded_through_the_store(ladder: Ladder, store: Path) -> None:
    session = load_engine(QuickEngine(), ladder.onnx / "model.onnx", PROFILE)
    ids = np.array([[1, 40, 2]])
    assert session.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})["logits"].shape == (1, 3)
    assert list(store.rglob("model.engine"))
