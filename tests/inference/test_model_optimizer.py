from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from components.errors import EngineError, ServiceError
from components.inference import model_optimizer
from components.inference.engine_store import engine_file
from components.inference.engines import ENGINES, OnnxRuntime, Profile
from components.inference.model_optimizer import PINS, RUNS_ON_CPU, autocast, optimizer_python, quantize
from components.inference.trial import difference
from tests.small_ladder import Ladder

CONVERSIONS = {"fp16": autocast, "bf16": autocast, "int8": quantize, "fp8": quantize}
ELEMENTS = {"fp16": "FLOAT16", "bf16": "BFLOAT16", "int8": "INT8", "fp8": "FLOAT8E4M3FN"}
PROFILE = Profile(1, 4)


def rows(count: int = 8, length: int = 24, seed: int = 0) -> dict[str, np.ndarray]:
    ids = np.random.default_rng(seed).integers(4, 60, (count, length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


@pytest.fixture(scope="module")
def _environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    try:
        optimizer_python()
    except ServiceError as error:
        pytest.skip(f"its environment cannot be made here: {error}")


@pytest.mark.slow
@pytest.mark.usefixtures("_environment")
@pytest.mark.parametrize("precision", CONVERSIONS)
def test_a_graph_is_converted_runs_where_it_can_and_builds(
    precision: str, ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = ladder.onnx / "model.onnx", tmp_path / f"{precision}.onnx"
    before = source.read_bytes()
    CONVERSIONS[precision](source, out, precision, [rows()])  # type: ignore[operator]
    kinds = {onnx.TensorProto.DataType.Name(weight.data_type) for weight in onnx.load(str(out)).graph.initializer}
    assert ELEMENTS[precision] in kinds
    assert source.read_bytes() == before
    if precision in RUNS_ON_CPU:
        found = difference(OnnxRuntime().load(source), OnnxRuntime().load(out), [rows(seed=1)])
        assert 0 < found.max_difference < 0.5
        assert found.agreement == 1
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path))
    if ENGINES["tensorrt-rtx"].available() is None:
        assert engine_file(ENGINES["tensorrt-rtx"], out, PROFILE).is_file()


@pytest.mark.slow
@pytest.mark.usefixtures("_environment")
def test_equal_input_gives_equal_bytes(ladder: Ladder, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        quantize(ladder.onnx / "model.onnx", tmp_path / name / "model.onnx", "int8", [rows()])
    first, second = ((tmp_path / name / "model.onnx").read_bytes() for name in ("first", "second"))
    assert first == second
    assert str(tmp_path).encode() not in first


@pytest.mark.slow
@pytest.mark.usefixtures("_environment")
def test_a_file_that_is_no_graph_is_an_engine_error(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(EngineError, match=r"model\.onnx: Model Optimizer's autocast failed"):
        autocast(tmp_path / "model.onnx", tmp_path / "out.onnx", "fp16", [rows()])
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize(
    ("calibration", "message"),
    [([], "no calibration inputs"), ([rows(), rows(length=8)], "differ in length: input_ids, attention_mask")],
)
def test_calibration_inputs_that_do_not_do_are_refused_with_what_would(
    calibration: list[dict[str, np.ndarray]], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_optimizer, "optimizer_python", lambda: Path("python"))
    with pytest.raises(EngineError, match=message):
        quantize(tmp_path / "model.onnx", tmp_path / "out.onnx", "int8", calibration)


def test_its_requirements_are_pinned() -> None:
    assert "nvidia-modelopt==" in PINS.read_text()
