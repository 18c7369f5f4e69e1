from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from components.errors import EngineError
from components.inference.engines import ENGINES, OnnxRuntime, Profile
from tests.small_ladder import Ladder

CUDA = "CUDAExecutionProvider"
needs_no_cuda = pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="this onnxruntime has CUDA")


def test_onnxruntime_needs_no_building(ladder: Ladder, tmp_path: Path) -> None:
    graph = ladder.onnx / "model.onnx"
    assert OnnxRuntime().available() is None
    assert OnnxRuntime().build(graph, tmp_path, Profile(4, 24)) == graph
    assert list(tmp_path.iterdir()) == []


def test_a_session_maps_named_arrays_to_named_arrays(ladder: Ladder) -> None:
    session = OnnxRuntime().load(ladder.onnx / "model.onnx")
    assert [given.name for given in session.inputs] == ["input_ids", "attention_mask"]
    assert session.inputs[0].axes == ("batch", "length")
    assert session.inputs[0].dtype == "int64"
    ids = np.array([[1, 40, 2]])
    answers = session.run({"input_ids": ids, "attention_mask": np.ones_like(ids)})
    assert set(answers) == {"logits"}
    assert [(made.name, made.dtype, made.axes) for made in session.outputs] == [("logits", "float32", ("batch", 3))]


def test_onnxruntime_answers_the_same_with_more_threads(ladder: Ladder) -> None:
    ids = np.array([[1, 40, 41, 2], [1, 42, 2, 0]])
    given = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64)}
    one, two = (OnnxRuntime(threads).load(ladder.onnx / "model.onnx").run(given)["logits"] for threads in (1, 2))
    assert one.shape == (2, 3)
    assert np.allclose(one, two, atol=1e-5)


def test_onnxruntime_refuses_a_file_that_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineError, match=r"model\.onnx: ONNX Runtime cannot load it"):
        OnnxRuntime().load(tmp_path / "model.onnx")


def test_onnxruntime_tells_the_shape_it_failed_on(ladder: Ladder) -> None:
    session = OnnxRuntime().load(ladder.onnx / "model.onnx")
    unknown = np.array([[1, 10**6, 2]])
    with pytest.raises(EngineError, match=r"failed on shape \(1, 3\)"):
        session.run({"input_ids": unknown, "attention_mask": np.ones_like(unknown)})


@needs_no_cuda
def test_a_provider_that_is_not_there_is_told_with_those_that_are() -> None:
    reason = str(ENGINES["onnxruntime-cuda"].available())
    assert "CPUExecutionProvider, no CUDAExecutionProvider (pip install onnxruntime-gpu)" in reason


@needs_no_cuda
def test_onnxruntime_never_falls_back_to_the_cpu_in_silence(ladder: Ladder) -> None:
    with pytest.raises(EngineError, match="CPUExecutionProvider instead of CUDAExecutionProvider"):
        ENGINES["onnxruntime-cuda"].load(ladder.onnx / "model.onnx")


def test_a_provider_without_its_gpu_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    def providers() -> list[Any]:
        return [CUDA, "CPUExecutionProvider"]

    from components.inference.nvidia import nvidia_host

    if nvidia_host().device is not None:
        pytest.skip("there is a GPU here")
    monkeypatch.setattr(onnxruntime, "get_available_providers", providers)
    assert ENGINES["onnxruntime-cuda"].available() == "no NVIDIA GPU here"
