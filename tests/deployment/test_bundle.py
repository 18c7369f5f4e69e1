from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components.artifacts import digest, read_manifest, verify, write_json, write_manifest
from components.deployment.bundle import build_engines, candidate_of
from components.deployment.config import BuildConfig
from components.deployment.rows import read_rows
from components.errors import ArtifactError, VerificationError
from components.inference.engines import ENGINES
from components.inference.trial import read_samples
from components.params import Params
from components.run import RecordedRun
from components.runtime.bundle import load_bundle
from tests.small_ladder import LABELS, Ladder

WRITTEN = ("kind", "schema", "made_from", "files")
needs_rtx = pytest.mark.skipif(ENGINES["tensorrt-rtx"].available() is not None, reason="tensorrt-rtx is not here")


def test_a_bundle_is_whole_and_says_what_it_is(ladder: Ladder) -> None:
    manifest = verify(ladder.bundle, "bundle")
    graphs = {f"models/{name}/model.onnx" for name in ("fp32", "int8", "int8_static", "int4_embeddings")}
    samples = {name for name in manifest["files"] if name.startswith("samples/")}
    assert set(manifest["files"]) - samples == {"NOTICE", "README.md", "lineage.json", "tokenizer.json", *graphs}
    assert manifest["ladder"] == ["fp32", "int8", "int8_static", "int4_embeddings"]
    assert manifest["labels"] == LABELS
    assert "model.engine" not in str(manifest["files"])
    assert (manifest["task"], manifest["candidate"], manifest["max_length"]) == ("places", "int4_embeddings", 24)
    assert set(manifest["made_from"]) == {"onnx", "quantized"}


def test_a_bundle_carries_real_rows_in_every_shape_to_try_engines_with(ladder: Ladder) -> None:
    samples = read_samples(ladder.bundle)
    assert {feeds["input_ids"].shape for feeds in samples} >= {(1, 1), (1, 24), (3, 24), (8, 24)}
    assert all(feeds["input_ids"].shape == feeds["attention_mask"].shape for feeds in samples)
    assert any((feeds["attention_mask"] == 0).any() for feeds in samples)
    encoder = load_bundle(ladder.bundle).encoder
    known = [row for row in encoder.encode(read_rows(ladder.rows, "validation", LABELS).texts) if row]
    assert samples[0]["input_ids"][-1].tolist()[: len(max(known, key=len))] in known


def test_the_same_inputs_give_the_same_bundle(ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path) -> None:
    ladder.build(params, tmp_path / "elsewhere" / "bundle", run)
    assert digest(tmp_path / "elsewhere" / "bundle") == digest(ladder.bundle)
    assert run.lines[-1].startswith("candidate for release: int4_embeddings, it loses")


def test_every_engine_of_params_has_a_status(ladder: Ladder, params: Params) -> None:
    engines = read_manifest(ladder.bundle, "bundle")["engines"]
    assert set(engines) == set(params.build.engines)
    assert engines["onnxruntime"]["status"] == "built and run"
    assert engines["onnxruntime"]["agreement"] == 1
    assert all("reason" in engine for engine in engines.values() if engine["status"] != "built and run")


def verdict(**accepted: int) -> dict[str, Any]:
    rungs = {name: {"accepted": one, "reason": f"loses 0.0{one}"} for name, one in accepted.items()}
    return {"ladder": list(accepted), "rungs": rungs}


def test_the_last_rung_that_kept_its_quality_is_the_candidate() -> None:
    assert candidate_of(verdict(int8=1, int8_static=1)) == ("int8_static", "it loses 0.01")
    assert candidate_of(verdict(int8=1, int8_static=0)) == ("int8", "it loses 0.01")
    assert candidate_of(verdict(int8=0, int8_static=1))[0] == "int8_static"


def test_float_is_the_candidate_where_no_rung_was_accepted() -> None:
    assert candidate_of(verdict(int8=0, int8_static=0)) == ("fp32", "int8 loses 0.00; int8_static loses 0.00")
    assert candidate_of(verdict()) == ("fp32", "it is the only rung")


def test_a_refused_rung_is_left_out_and_told_on_the_card(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    quantized = Path(shutil.copytree(ladder.quantized, tmp_path / "quantized"))
    manifest = read_manifest(quantized, "quantized")
    manifest["rungs"]["int4_embeddings"] |= {"accepted": 0, "reason": "loses 0.3000"}
    write_json(quantized / "manifest.json", manifest)
    metrics = ladder.build(params, tmp_path / "bundle", run, quantized=quantized)
    assert (metrics["rungs"], metrics["refused"]) == (3, 1)
    assert run.lines[-1].startswith("candidate for release: int8_static, it loses")
    assert not (tmp_path / "bundle/models/int4_embeddings").exists()
    assert "refused: it loses 0.3000" in (tmp_path / "bundle/README.md").read_text()
    assert read_manifest(tmp_path / "bundle", "bundle")["quantization"]["int4_embeddings"]["reason"] == "loses 0.3000"


@needs_rtx
def test_an_engine_that_fails_to_build_is_recorded_with_its_reason(ladder: Ladder, tmp_path: Path) -> None:
    """A graph of ONNX Runtime's own operators, which TensorRT cannot parse."""
    (tmp_path / "models/fp32").mkdir(parents=True)
    shutil.copy(ladder.quantized / "int8.onnx", tmp_path / "models/fp32/model.onnx")
    config = BuildConfig.model_validate({"engines": ["tensorrt-rtx"], "max_batch": 2})
    found = build_engines(config, {"max_length": 8}, tmp_path, "int8")["tensorrt-rtx"]
    assert found["status"] == "failed"
    assert found["reason"].startswith("tensorrt-rtx cannot")


def spoilt(folder: Path, kind: str, file: str, target: Path) -> Path:
    """A copy of an artifact with one graph that is none, its manifest fitting."""
    copy = Path(shutil.copytree(folder, target))
    (copy / file).write_bytes(b"not a graph")
    details = {name: value for name, value in read_manifest(folder, kind).items() if name not in WRITTEN}
    write_manifest(copy, kind, {}, **details)
    return copy


def test_a_rung_the_gate_refuses_is_left_out_with_its_reason_and_those_above_it_are_built(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    quantized = spoilt(ladder.quantized, "quantized", "int4_embeddings.onnx", tmp_path / "quantized")
    metrics = ladder.build(params, tmp_path / "bundle", run, quantized=quantized)
    made = verify(tmp_path / "bundle", "bundle")
    assert (made["ladder"], made["candidate"]) == (["fp32", "int8", "int8_static"], "int8_static")
    assert made["quantization"]["int4_embeddings"]["accepted"] == 0
    reason = made["quantization"]["int4_embeddings"]["reason"]
    assert reason.startswith("is refused by the gate: ")
    assert str(tmp_path) not in reason
    assert f"refused: it {reason}" in (tmp_path / "bundle/README.md").read_text()
    assert (metrics["refused"], list(metrics["gate"])) == (1, ["fp32", "int8", "int8_static"])
    assert any(line.startswith("int4_embeddings refused by the gate: ") for line in run.lines)
    assert load_bundle(tmp_path / "bundle").rung == "int8_static"


def test_a_float_graph_the_gate_refuses_stops_the_stage(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    onnx = spoilt(ladder.onnx, "onnx", "model.onnx", tmp_path / "onnx")
    with pytest.raises(VerificationError, match="rung fp32: "):
        replace(ladder, onnx=onnx).build(params, tmp_path / "bundle", run)
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
