from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from components.artifacts import digest, read_manifest, verify, write_json, write_manifest
from components.deployment.bundle import build_engines, ship
from components.deployment.engines import ENGINES
from components.errors import ArtifactError, EngineError
from components.params import BuildConfig, Params
from components.run import RecordedRun
from tests.small_ladder import LABELS, Ladder

needs_rtx = pytest.mark.skipif(ENGINES["tensorrt-rtx"].available() is not None, reason="tensorrt-rtx is not here")


def test_a_bundle_is_whole_and_says_what_it_is(ladder: Ladder) -> None:
    manifest = verify(ladder.bundle, "bundle")
    papers = {"NOTICE", "README.md", "lineage.json"}
    assert set(manifest["files"]) == {*papers, "models/fp32.onnx", "models/int8.onnx", "tokenizer.json"}
    assert manifest["labels"] == LABELS
    assert "model.engine" not in str(manifest["files"])
    assert (manifest["task"], manifest["shipped"], manifest["max_length"]) == ("places", "int8", 24)
    assert set(manifest["made_from"]) == {"onnx", "quantized"}


def test_the_same_inputs_give_the_same_bundle(ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path) -> None:
    ladder.build(params, tmp_path / "elsewhere" / "bundle", run)
    assert digest(tmp_path / "elsewhere" / "bundle") == digest(ladder.bundle)
    assert run.lines[-1].startswith("ships int8: it loses")


def test_every_engine_of_params_has_a_status(ladder: Ladder, params: Params) -> None:
    engines = read_manifest(ladder.bundle, "bundle")["engines"]
    assert set(engines) == set(params.build.engines)
    assert engines["onnxruntime"]["status"] == "built and run"
    assert engines["onnxruntime"]["agreement"] == 1
    assert all("reason" in engine for engine in engines.values() if engine["status"] != "built and run")


def test_float_is_shipped_where_int8_was_not_accepted() -> None:
    verdict = {"loss": 0.0512, "max_accuracy_loss": 0.02}
    assert ship({**verdict, "accepted": 1})[0] == "int8"
    assert ship({**verdict, "accepted": 0}) == (
        "fp32",
        "int8 loses 0.0512 macro-F1 on validation rows, only 0.02 is allowed",
    )


def test_a_refused_int8_graph_is_told_on_the_console_and_the_card(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    quantized = Path(shutil.copytree(ladder.quantized, tmp_path / "quantized"))
    manifest = read_manifest(quantized, "quantized")
    write_json(quantized / "manifest.json", {**manifest, "loss": 0.3, "accepted": 0})
    metrics = ladder.build(params, tmp_path / "bundle", run, quantized=quantized)
    assert metrics["shipped_int8"] == 0
    assert run.lines[-1].startswith("ships fp32: int8 loses 0.3000")
    assert "Shipped: **fp32**, because int8 loses 0.3000" in (tmp_path / "bundle/README.md").read_text()


@needs_rtx
def test_an_engine_that_fails_to_build_is_recorded_with_its_reason(ladder: Ladder, tmp_path: Path) -> None:
    """A graph of ONNX Runtime's own operators, which TensorRT cannot parse."""
    (tmp_path / "models").mkdir()
    shutil.copy(ladder.quantized / "model.onnx", tmp_path / "models/fp32.onnx")
    config = BuildConfig.model_validate({"engines": ["tensorrt-rtx"], "max_batch": 2})
    found = build_engines(config, {"max_length": 8}, tmp_path, "int8")["tensorrt-rtx"]
    assert found["status"] == "failed"
    assert found["reason"].startswith("tensorrt-rtx cannot")


def test_a_graph_onnxruntime_cannot_load_stops_the_stage(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    quantized = Path(shutil.copytree(ladder.quantized, tmp_path / "quantized"))
    manifest = read_manifest(quantized, "quantized")
    (quantized / "model.onnx").write_bytes(b"not a graph")
    details = {name: value for name, value in manifest.items() if name not in ("kind", "schema", "made_from", "files")}
    write_manifest(quantized, "quantized", {}, **details)
    with pytest.raises(EngineError, match=r"int8\.onnx: ONNX Runtime cannot load it"):
        ladder.build(params, tmp_path / "bundle", run, quantized=quantized)
    assert not (tmp_path / "bundle").exists()


def test_a_graph_that_was_changed_is_refused_by_name(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    onnx = Path(shutil.copytree(ladder.onnx, tmp_path / "onnx"))
    with (onnx / "model.onnx").open("r+b") as stream:
        stream.seek(5000)
        byte = stream.read(1)
        stream.seek(5000)
        stream.write(bytes([byte[0] ^ 1]))
    with pytest.raises(ArtifactError, match=r"model\.onnx: changed"):
        replace(ladder, onnx=onnx).build(params, tmp_path / "bundle", run)
