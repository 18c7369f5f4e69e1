from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from components.artifacts import digest, read_manifest, write_manifest
from components.deployment.encoding import Encoder
from components.deployment.quantize import answers, quantize
from components.params import Params, QuantizeConfig
from components.run import Metrics, RecordedRun
from tests.small_ladder import LABELS, TASK, Ladder


def shrink(config: QuantizeConfig, ladder: Ladder, onnx_folder: Path, target: Path, run: RecordedRun) -> Metrics:
    return quantize(config, TASK, "places", ladder.rows, onnx_folder, target, run)


def with_outlier(ladder: Ladder, folder: Path) -> Path:
    """The graph with one huge weight in the row of a token no text has: harmless in float32, ruinous in int8."""
    shutil.copytree(ladder.onnx, folder)
    model = onnx.load(folder / "model.onnx")
    table = next(weight for weight in model.graph.initializer if "tok_embeddings" in weight.name)
    values = numpy_helper.to_array(table).copy()
    values[3] = 1e4
    table.CopyFrom(numpy_helper.from_array(values, table.name))
    onnx.save(model, folder / "model.onnx")
    details = {name: value for name, value in read_manifest(ladder.onnx, "onnx").items() if name not in WRITTEN}
    write_manifest(folder, "onnx", {}, **details)
    return folder


WRITTEN = {"kind", "schema", "made_from", "files"}


def test_the_same_graph_gives_the_same_bytes(ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path) -> None:
    shrink(params.quantize, ladder, ladder.onnx, tmp_path / "other place" / "quantized", run)
    assert digest(tmp_path / "other place" / "quantized") == digest(ladder.quantized)


def test_int8_is_small_and_answers_nearly_as_float_does(ladder: Ladder) -> None:
    manifest = read_manifest(ladder.quantized, "quantized")
    assert manifest["accepted"] == 1
    assert manifest["agreement"] > 0.95
    assert manifest["macro_f1"] > 0.8
    assert manifest["megabytes"] < 0.5 * manifest["fp32_megabytes"]


def test_weights_and_embeddings_are_int8(ladder: Ladder) -> None:
    graph = onnx.load(ladder.quantized / "model.onnx").graph
    floats = [weight for weight in graph.initializer if weight.data_type == onnx.TensorProto.FLOAT]
    assert max(int(np.prod(weight.dims)) for weight in floats) < 1000
    assert "MatMulInteger" in {node.op_type for node in graph.node}


def test_a_graph_that_loses_too_much_is_written_and_not_accepted(
    ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    damaged = with_outlier(ladder, tmp_path / "onnx")
    metrics = shrink(params.quantize, ladder, damaged, tmp_path / "quantized", run)
    assert metrics["fp32_macro_f1"] > 0.8
    assert metrics["loss"] > params.quantize.max_accuracy_loss
    assert metrics["accepted"] == 0
    assert "fp32 will be shipped" in run.lines[-1]
    assert read_manifest(tmp_path / "quantized", "quantized")["accepted"] == 0


@pytest.mark.parametrize("per_channel", [True, False])
def test_both_granularities_run(
    per_channel: bool, ladder: Ladder, params: Params, run: RecordedRun, tmp_path: Path
) -> None:
    config = QuantizeConfig.model_validate({**params.quantize.model_dump(), "per_channel": per_channel})
    assert shrink(config, ladder, ladder.onnx, tmp_path / "quantized", run)["agreement"] > 0.9


def test_answers_come_in_the_order_of_the_texts(ladder: Ladder) -> None:
    encoder = Encoder.load(ladder.onnx / "tokenizer.json", TASK.max_length, 0)
    texts = ["ship wave whale tide", "wheat plough barn harvest soil meadow horse", "tower street"]
    found = answers(ladder.onnx / "model.onnx", encoder, texts)
    assert [LABELS[number] for number in found] == ["sea", "field", "city"]
