from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from components.deployment.engines import ENGINES, OnnxRuntime, Profile, TensorRT
from components.errors import EngineError
from components.params import Params
from tests.small_ladder import Ladder

PROFILE = Profile(4, 24)
RTX = ENGINES["tensorrt-rtx"]
needs_rtx = pytest.mark.skipif(RTX.available() is not None, reason=f"{RTX.available()}")


def test_every_engine_is_known_by_its_name_in_params(params: Params) -> None:
    assert set(params.build.engines) == set(ENGINES)
    assert all(engine.name == name for name, engine in ENGINES.items())


def test_onnxruntime_needs_no_building(ladder: Ladder, tmp_path: Path) -> None:
    graph = ladder.onnx / "model.onnx"
    assert OnnxRuntime().available() is None
    assert OnnxRuntime().build(graph, tmp_path, PROFILE) == graph
    assert list(tmp_path.iterdir()) == []


def test_onnxruntime_answers_the_same_with_more_threads(ladder: Ladder) -> None:
    ids = np.array([[1, 40, 41, 2], [1, 42, 2, 0]])
    mask = (ids > 0).astype(np.int64)
    one, two = (OnnxRuntime(threads).load(ladder.onnx / "model.onnx").infer(ids, mask) for threads in (1, 2))
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
        session.infer(unknown, np.ones_like(unknown))


def test_a_flavour_that_is_not_installed_says_how_to_get_it() -> None:
    engine = TensorRT("tensorrt", "a_module_that_is_not_there", "pip install it")
    assert engine.available() == "a_module_that_is_not_there is not installed (pip install it)"


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="tensorrt is installed here")
def test_tensorrt_is_told_to_be_missing_with_what_to_do() -> None:
    assert "pip install 'lianzi[gpu]'" in str(ENGINES["tensorrt"].available())


@needs_rtx
def test_tensorrt_rtx_builds_without_a_gpu(ladder: Ladder, tmp_path: Path) -> None:
    path = RTX.build(ladder.onnx / "model.onnx", tmp_path, PROFILE)
    assert path == tmp_path / "model.engine"
    assert path.stat().st_size > 1000


@needs_rtx
def test_an_engine_that_cannot_run_here_is_an_engine_error(ladder: Ladder, tmp_path: Path) -> None:
    """Its runtime then answers None, without raising."""
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    path = RTX.build(ladder.onnx / "model.onnx", tmp_path, PROFILE)
    with pytest.raises(EngineError, match=r"tensorrt-rtx cannot run here: .*\nan NVIDIA GPU"):
        RTX.load(path)


@needs_rtx
def test_tensorrt_rtx_refuses_a_file_that_is_no_graph(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineError, match=r"tensorrt-rtx cannot parse model\.onnx"):
        RTX.build(tmp_path / "model.onnx", tmp_path, PROFILE)
