from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from components.errors import EngineError
from components.inference.engines import ENGINES, OnnxRuntime, Profile
from components.params import Params
from tests.small_ladder import Ladder

PROFILE = Profile(4, 24)
WRITING = [name for name, engine in ENGINES.items() if engine.writes]


def test_every_engine_of_params_is_known_by_its_name(params: Params) -> None:
    assert set(params.build.engines) <= set(ENGINES)
    assert all(engine.name == name for name, engine in ENGINES.items())


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_is_there_or_says_why_not_in_one_line(name: str) -> None:
    reason = ENGINES[name].available()
    assert reason is None or (reason and "\n" not in reason)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_an_engine_on_a_cpu_answers_as_its_graph_does_again_and_again(
    name: str, ladder: Ladder, tmp_path: Path
) -> None:
    engine = ENGINES[name]
    if engine.available():
        pytest.skip(str(engine.available()))
    ids = np.array([[1, 40, 41, 2], [1, 42, 2, 0]])
    given = {"input_ids": ids, "attention_mask": (ids > 0).astype(np.int64)}
    expected = OnnxRuntime().load(ladder.onnx / "model.onnx").run(given)["logits"]
    sessions = []
    for build in ("first", "second"):
        (tmp_path / build).mkdir()
        sessions.append(engine.load(engine.build(ladder.onnx / "model.onnx", tmp_path / build, PROFILE)))
    first, second, again = (session.run(given)["logits"] for session in (*sessions, sessions[0]))
    assert np.abs(first - expected).max() < 1e-5
    assert np.array_equal(first, second)
    assert np.array_equal(first, again)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "tensorrt-rtx"])
def test_an_engine_refuses_a_file_that_is_no_graph(name: str, tmp_path: Path) -> None:
    engine = ENGINES[name]
    if engine.available():
        pytest.skip(str(engine.available()))
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineError, match=r"model\.onnx"):
        engine.build(tmp_path / "model.onnx", tmp_path, PROFILE)


@pytest.mark.skipif(find_spec("tensorrt") is not None, reason="tensorrt is installed here")
def test_tensorrt_is_told_to_be_missing_with_what_to_do() -> None:
    assert "pip install 'lianzi[gpu]'" in str(ENGINES["tensorrt"].available())


def test_an_engine_that_writes_has_a_name_for_its_file() -> None:
    assert set(WRITING) == {"openvino", "tensorrt", "tensorrt-rtx"}
