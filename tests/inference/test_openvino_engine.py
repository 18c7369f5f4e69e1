from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from components.errors import EngineError
from components.inference.engine_store import load_engine
from components.inference.engines import OnnxRuntime, OpenVino, Profile
from components.inference.sessions import Arrays
from tests.small_ladder import Ladder

ENGINE = OpenVino()
PROFILE = Profile(4, 24)
needs_openvino = pytest.mark.skipif(ENGINE.available() is not None, reason=f"{ENGINE.available()}")


def rows(count: int, length: int) -> Arrays:
    ids = np.random.default_rng(0).integers(4, 60, (count, length))
    mask = np.ones_like(ids)
    mask[0, length // 2 + 1 :] = 0
    return {"input_ids": ids, "attention_mask": mask}


@needs_openvino
def test_openvino_agrees_with_onnxruntime_in_several_shapes(ladder: Ladder, tmp_path: Path) -> None:
    graph = ladder.onnx / "model.onnx"
    session, reference = ENGINE.load(ENGINE.build(graph, tmp_path, PROFILE)), OnnxRuntime().load(graph)
    for shape in ((1, 1), (1, 24), (3, 7), (8, 24)):
        found, expected = (one.run(rows(*shape))["logits"] for one in (session, reference))
        assert np.abs(found - expected).max() < 1e-5


@needs_openvino
def test_openvino_reads_q_dq_nodes(ladder: Ladder, tmp_path: Path) -> None:
    """Its integer kernels do not round as ONNX Runtime's do: answers agree, bits do not."""
    graph = quantized(ladder.onnx / "model.onnx", tmp_path / "int8.onnx")
    session, reference = ENGINE.load(ENGINE.build(graph, tmp_path, PROFILE)), OnnxRuntime().load(graph)
    expected, found, again = (one.run(rows(8, 24))["logits"] for one in (reference, session, session))
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()
    assert np.array_equal(found, again)


@needs_openvino
def test_a_compiled_model_is_kept_and_loaded(ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path))
    graph = ladder.onnx / "model.onnx"
    first = load_engine(ENGINE, graph, PROFILE).run(rows(2, 9))["logits"]
    kept = next(tmp_path.rglob("model.blob"))
    built = kept.stat().st_mtime_ns
    assert np.array_equal(load_engine(ENGINE, graph, PROFILE).run(rows(2, 9))["logits"], first)
    assert kept.stat().st_mtime_ns == built


@needs_openvino
def test_threads_that_ask_at_once_each_get_their_own_answer(ladder: Ladder, tmp_path: Path) -> None:
    session = ENGINE.load(ENGINE.build(ladder.onnx / "model.onnx", tmp_path, PROFILE))
    asked = [rows(1 + number % 4, 5 + number) for number in range(8)]
    expected = [session.run(one)["logits"] for one in asked]
    found: dict[int, np.ndarray] = {}
    threads = [Thread(target=lambda n=n: found.update({n: session.run(asked[n])["logits"]})) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[number], expected[number]) for number in range(8))


@needs_openvino
def test_a_blob_that_is_damaged_is_an_engine_error(tmp_path: Path) -> None:
    (tmp_path / "model.blob").write_bytes(b"not a model")
    with pytest.raises(EngineError, match=r"model\.blob: OpenVINO cannot load it"):
        ENGINE.load(tmp_path / "model.blob")


@needs_openvino
def test_an_input_too_few_is_an_engine_error(ladder: Ladder, tmp_path: Path) -> None:
    session = ENGINE.load(ENGINE.build(ladder.onnx / "model.onnx", tmp_path, PROFILE))
    with pytest.raises(EngineError, match=r"OpenVINO failed on shape \(1, 3\)"):
        session.run({"input_ids": np.ones((1, 3), dtype=np.int64), "no_such_input": np.ones((1, 3), dtype=np.int64)})


@needs_openvino
def test_openvino_leaves_no_trace_for_its_telemetry(ladder: Ladder, tmp_path: Path) -> None:
    """Merely importing it writes an id for its reports to ~/intel."""
    code = (
        "from pathlib import Path; from components.inference.engines import *;"
        f"OpenVino().build(Path({str(ladder.onnx / 'model.onnx')!r}), Path({str(tmp_path)!r}), Profile(1, 8))"
    )
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "HOME": str(home)}, timeout=120)
    assert list(home.iterdir()) == []


def test_openvino_that_is_not_installed_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.inference.openvino_engine.find_spec", lambda name: None)
    assert ENGINE.available() == "openvino is not installed (pip install 'lianzi[openvino]')"


def quantized(source: Path, target: Path) -> Path:
    """The graph with Q/DQ nodes for int8, calibrated on random rows."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Rows(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([dict(rows(8, 24))])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.left, None)

    graph = onnx.load(str(source))
    del graph.graph.value_info[:]
    bare = target.with_name("bare.onnx")
    onnx.save(graph, str(bare))
    quantize_static(bare, target, Rows(), quant_format=QuantFormat.QDQ, op_types_to_quantize=["MatMul"])
    return target
