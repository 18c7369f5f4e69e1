from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from components.errors import ArtifactError, EngineError
from components.inference.engines import ENGINES, OnnxRuntime, Profile, Session
from components.inference.profiles import GraphTensor
from components.inference.sessions import Arrays
from components.inference.trial import build_and_try, difference, generated, read_samples
from tests.small_ladder import Ladder

PROFILE = Profile(4, 24)


@dataclass(frozen=True)
class Constant(Session):
    """Answers with the same logits, whatever it is asked."""

    logits: np.ndarray
    inputs: tuple[GraphTensor, ...] = ()
    outputs: tuple[GraphTensor, ...] = ()

    def run(self, feeds: Arrays) -> dict[str, np.ndarray]:
        return {"logits": self.logits}


@dataclass(frozen=True)
class NeverRuns(OnnxRuntime):
    """Builds, and finds no GPU when it is to be loaded."""

    name: str = "never-runs"
    writes: str = "model.engine"

    def build(self, onnx: Path, folder: Path, profile: Profile) -> Path:
        (folder / self.writes).write_bytes(onnx.read_bytes())
        return folder / self.writes

    def load(self, path: Path) -> Session:
        raise EngineError("never-runs cannot run here: no GPU", "get one")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))


def test_an_engine_that_runs_is_compared_with_its_graph(ladder: Ladder) -> None:
    found = build_and_try(ENGINES["onnxruntime"], ladder.onnx / "model.onnx", PROFILE, vocabulary=60)
    assert found["status"] == "built and run"
    assert (found["max_difference"], found["agreement"]) == (0, 1)
    assert (found["samples"], found["inputs"]) == (4, "random tokens")


def test_an_engine_that_cannot_run_here_is_built_not_run(ladder: Ladder, tmp_path: Path) -> None:
    found = build_and_try(NeverRuns(), ladder.onnx / "model.onnx", PROFILE)
    assert found["status"] == "built, not run"
    assert found["reason"] == "never-runs cannot run here: no GPU"
    assert "agreement" not in found
    assert list(tmp_path.rglob("model.engine"))


def test_real_samples_are_taken_where_there_are_some(ladder: Ladder, tmp_path: Path) -> None:
    ids = np.array([[1, 40, 2]])
    (tmp_path / "samples").mkdir()
    np.savez(tmp_path / "samples" / "000.npz", input_ids=ids, attention_mask=np.ones_like(ids))
    samples = read_samples(tmp_path)
    found = build_and_try(ENGINES["onnxruntime"], ladder.onnx / "model.onnx", PROFILE, samples)
    assert (found["samples"], found["inputs"]) == (1, "the bundle's samples")


def test_a_sample_that_is_no_array_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "000.npz").write_bytes(b"not an array")
    with pytest.raises(ArtifactError, match=r"000\.npz: not an array file"):
        read_samples(tmp_path)


def test_the_difference_is_of_values_and_of_answers() -> None:
    one = Constant(np.array([[1.0, 2.0], [4.0, 3.0]], dtype=np.float32))
    other = Constant(np.array([[1.0, 2.5], [2.0, 3.0]], dtype=np.float32))
    found = difference(one, other, [{}])
    assert (found.max_difference, found.mean_difference, found.agreement) == (2.0, 0.625, 0.5)


def test_an_answer_that_is_no_number_differs_infinitely() -> None:
    one = Constant(np.array([[1.0, 2.0]], dtype=np.float32))
    other = Constant(np.array([[1.0, np.nan]], dtype=np.float32))
    assert difference(one, other, [{}]).max_difference == np.inf


def test_random_inputs_lie_in_the_vocabulary_and_the_profile(ladder: Ladder) -> None:
    inputs = OnnxRuntime().load(ladder.onnx / "model.onnx").inputs
    for feeds in generated(inputs, PROFILE, 60):
        assert feeds["input_ids"].max() < 60
        assert feeds["input_ids"].shape <= (4, 24)
