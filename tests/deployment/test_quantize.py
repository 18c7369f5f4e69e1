from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from components.artifacts import digest, read_manifest, write_manifest
from components.deployment.config import QuantizeConfig
from components.deployment.quantize import RECIPES, QuantizationContext, calibration_batches, quantize
from components.errors import ArtifactError
from components.params import Params
from components.run import Metrics, RecordedRun
from components.runtime.encoding import Encoder
from tests.small_ladder import TASK, Ladder


def shrink(config: QuantizeConfig, ladder: Ladder, onnx_folder: Path, target: Path, run: RecordedRun) -> Metrics:
    return quantize(config, TASK, "places", ladder.rows, onnx_folder, target, run)


def with_outlier(ladder: Ladder, folder: Path) -> Path:
    """The graph with one huge weight in the row of a token no text has: harmless in float32, ruinous in int8."""
    shutil.copytree(ladder.onnx, folder)
    for path in folder.glob("*.onnx"):
        model = onnx.load(path)
        table = next(weight for weight in model.graph.initializer if "tok_embeddings" in weight.name)
        values = numpy_helper.to_array(table).copy()
        values[3] = 1e4
        table.CopyFrom(numpy_helper.from_array(values, table.name))
        onnx.save(model, path)
    details = {name: value for name, value in read_manifest(ladder.onnx, "onnx").items() if name not in WRITTEN}
    write_manifest(folder, "onnx", {}, **details)
    return folder


def lookup(folder: Path) -> str:
    """The node that reads the embedding table, in the graph that is quantized."""
    nodes = onnx.load(folder / "onnxruntime.onnx").graph.node
    return next(node.name for node in nodes if node.op_type == "Gather" and "tok_embeddings" in node.input[0])


WRITTEN = {"kind", "schema", "made_from", "files"}


def test_the_same_graph_gives_the_same_bytes(ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path) -> None:
    shrink(params.quantize, ladder, ladder.onnx, tmp_path / "other place" / "quantized", run)
    assert digest(tmp_path / "other place" / "quantized") == digest(ladder.quantized)


def test_every_rung_is_small_and_answers_nearly_as_float_does(ladder: Ladder, params: Params) -> None:
    manifest = read_manifest(ladder.quantized, "quantized")
    assert manifest["ladder"] == params.quantize.rungs == ["int8", "int8_static", "int4_embeddings"]
    for rung in manifest["rungs"].values():
        assert rung["accepted"] == 1
        assert rung["agreement"] > 0.9
        assert rung["macro_f1"] > 0.8
        assert rung["megabytes"] < 0.55 * manifest["fp32_megabytes"]
        assert rung["change"]["low"] <= rung["change"]["value"] <= rung["change"]["high"]
    sizes = [manifest["rungs"][name]["megabytes"] for name in manifest["ladder"]]
    assert sizes[-1] < min(sizes[:-1])


def test_weights_and_embeddings_are_int8(ladder: Ladder) -> None:
    graph = onnx.load(ladder.quantized / "int8.onnx").graph
    floats = [weight for weight in graph.initializer if weight.data_type == onnx.TensorProto.FLOAT]
    assert max(int(np.prod(weight.dims)) for weight in floats) < 1000
    assert "MatMulInteger" in {node.op_type for node in graph.node}


def test_sensitivities_name_the_layers_and_the_worst_comes_first(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    damaged = with_outlier(ladder, tmp_path / "onnx")
    metrics = shrink(params.quantize, ladder, damaged, tmp_path / "quantized", run)
    layers = metrics["sensitivities"]
    assert lookup(ladder.onnx) in layers
    assert list(layers.values()) == sorted(layers.values(), reverse=True)
    assert min(layers.values()) > 0
    assert read_manifest(ladder.quantized, "quantized")["sensitivities"] == {}


def test_a_graph_that_loses_too_much_is_written_and_not_accepted(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    damaged = with_outlier(ladder, tmp_path / "onnx")
    metrics = shrink(params.quantize, ladder, damaged, tmp_path / "quantized", run)
    assert metrics["fp32_macro_f1"] > 0.8
    assert metrics["rungs"]["int8"]["loss"] > params.quantize.max_accuracy_loss
    assert metrics["rungs"]["int8"]["accepted"] == 0
    assert "refused: it loses 0." in run.lines[0]
    assert (tmp_path / "quantized/int8.onnx").is_file()
    refused = read_manifest(tmp_path / "quantized", "quantized")["rungs"]["int8"]
    assert refused["reason"].endswith("macro-F1 on validation rows, only 0.02 is allowed")


def test_the_layer_that_ruins_it_stays_in_float_and_the_rung_stands(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    """The outlier is in the embedding table: it alone is kept, and a scale a row does no harm in four bits."""
    damaged = with_outlier(ladder, tmp_path / "onnx")
    shrink(params.quantize, ladder, damaged, tmp_path / "quantized", run)
    manifest = read_manifest(tmp_path / "quantized", "quantized")
    assert manifest["rungs"]["int8_static"]["float_layers"] == [lookup(damaged)]
    assert manifest["rungs"]["int8_static"]["accepted"] == manifest["rungs"]["int4_embeddings"]["accepted"] == 1
    assert manifest["rungs"]["int4_embeddings"]["float_layers"] == []
    assert max(manifest["sensitivities"], key=manifest["sensitivities"].get) == lookup(damaged)
    assert run.lines[1].endswith(f"in float: {lookup(damaged)}")


def test_without_a_layer_to_keep_the_rung_is_refused(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    damaged = with_outlier(ladder, tmp_path / "onnx")
    config = params.quantize.model_copy(update={"rungs": ["int8_static"], "max_float_layers": 0})
    metrics = shrink(config, ladder, damaged, tmp_path / "quantized", run)
    assert metrics["rungs"]["int8_static"]["accepted"] == 0
    assert metrics["macro_f1"] == metrics["fp32_macro_f1"]


def test_calibration_takes_the_same_rows_every_time(ladder: Ladder) -> None:
    encoder = Encoder.load(ladder.onnx / "tokenizer.json", TASK.max_length, 0)
    texts = [f"ship {number}" for number in range(100)]
    first, again = (calibration_batches(encoder, texts, 40) for _ in range(2))
    ids = [[feeds["input_ids"] for feeds in batches] for batches in (first, again)]
    assert [len(rows) for rows in ids[0]] == [32, 8]
    assert all(np.array_equal(one, other) for one, other in zip(*ids, strict=True))
    (few,) = calibration_batches(encoder, texts[:3], 40)
    assert len(few["input_ids"]) == 3


@pytest.mark.parametrize("per_channel", [True, False])
def test_both_granularities_run(
    per_channel: bool, ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    config = QuantizeConfig.model_validate({**params.quantize.model_dump(), "per_channel": per_channel})
    rungs = shrink(config, ladder, ladder.onnx, tmp_path / "quantized", run)["rungs"]
    assert min(rung["agreement"] for rung in rungs.values()) > 0.85


def test_a_rung_that_cannot_be_made_is_told_and_costs_only_itself(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(context: QuantizationContext, name: str) -> dict[str, Any]:
        (context.folder / f"{name}.onnx").write_bytes(b"half")
        raise ValueError(f"{context.folder}/model.onnx: no such operator\nand more")

    monkeypatch.setitem(RECIPES, "int8_static", broken)
    metrics = shrink(params.quantize, ladder, ladder.onnx, tmp_path / "quantized", run)
    made = read_manifest(tmp_path / "quantized", "quantized")
    told = "cannot be made: ValueError: model.onnx: no such operator"
    assert made["rungs"]["int8_static"] == {"accepted": 0, "reason": told}
    assert "int8_static.onnx" not in made["files"]
    assert made["rungs"]["int8"]["accepted"] == made["rungs"]["int4_embeddings"]["accepted"] == 1
    assert metrics["rungs"]["int8_static"] == {"accepted": 0}
    assert f"int8_static refused: it {told}" in run.lines
    ladder.build(params, tmp_path / "bundle", run, quantized=tmp_path / "quantized")
    assert read_manifest(tmp_path / "bundle", "bundle")["ladder"] == ["fp32", "int8", "int4_embeddings"]
    assert f"| int8_static | | | | | refused: it {told} |" in (tmp_path / "bundle/README.md").read_text()


def test_a_full_disk_is_no_verdict_on_a_rung(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> dict[str, Any]:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(RECIPES, "int8", full)
    with pytest.raises(ArtifactError, match="no space left on the disk"):
        shrink(params.quantize, ladder, ladder.onnx, tmp_path / "quantized", run)
    assert not (tmp_path / "quantized").exists()
