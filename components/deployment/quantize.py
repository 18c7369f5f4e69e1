"""Quantization: int8 weights, activations quantized at run time, for ONNX Runtime on a CPU."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx as onnx_format

from components.artifacts import staged, verify, write_manifest
from components.deployment.encoding import Encoder
from components.deployment.engines import OnnxRuntime
from components.deployment.rows import Rows, read_rows
from components.evaluation.metrics import macro_f1

if TYPE_CHECKING:
    from components.params import QuantizeConfig, TaskConfig
    from components.run import Metrics, Run

BATCH = 32


def quantize(
    config: QuantizeConfig, task: TaskConfig, task_name: str, rows: Path, onnx: Path, quantized: Path, run: Run
) -> Metrics:
    """Write the int8 graph and compare its answers on validation rows with the float graph's.

    A graph that loses more macro-F1 than `max_accuracy_loss` is written all the same, with `accepted` 0:
    `build` then ships the float graph.
    """
    made = verify(onnx, "onnx")
    encoder = Encoder.load(onnx / "tokenizer.json", made["max_length"], made["pad_id"])
    validation = read_rows(rows, "validation", made["labels"])
    with staged(quantized) as folder:
        quantize_graph(onnx / "model.onnx", folder / "model.onnx", config.per_channel)
        metrics = compare_answers(encoder, validation, onnx / "model.onnx", folder / "model.onnx", len(made["labels"]))
        metrics["accepted"] = int(metrics["loss"] <= config.max_accuracy_loss)
        write_manifest(
            folder,
            "quantized",
            {"onnx": onnx, "rows": rows},
            task=task_name,
            max_accuracy_loss=config.max_accuracy_loss,
            **metrics,
        )
    run.say(
        f"int8: {metrics['megabytes']:.1f} of {metrics['fp32_megabytes']:.1f} MB, macro-F1 {metrics['macro_f1']:.4f} "
        f"against {metrics['fp32_macro_f1']:.4f}, answers agree on {metrics['agreement']:.1%}"
    )
    if not metrics["accepted"]:
        run.say(
            f"int8 loses {metrics['loss']:.4f} macro-F1, {config.max_accuracy_loss:g} is allowed: fp32 will be shipped"
        )
    return metrics


def quantize_graph(source: Path, target: Path, per_channel: bool) -> None:
    """Quantize the weights of matrix products and embedding tables; equal input gives equal bytes."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger().addFilter(no_preprocessing_hint)
    try:
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder, "model.onnx")
            quantize_dynamic(
                source,
                written,
                op_types_to_quantize=["MatMul", "Gemm", "Gather"],
                per_channel=per_channel,
                weight_type=QuantType.QInt8,
            )
            graph = onnx_format.load(written)
    finally:
        logging.getLogger().removeFilter(no_preprocessing_hint)
    del graph.graph.value_info[:]
    target.write_bytes(graph.SerializeToString(deterministic=True))


def compare_answers(encoder: Encoder, rows: Rows, fp32: Path, int8: Path, classes: int) -> Metrics:
    """Macro-F1 of both graphs on the same rows, what int8 loses (never negative), agreement and sizes."""
    before, after = answers(fp32, encoder, rows.texts), answers(int8, encoder, rows.texts)
    scores = {
        name: macro_f1(rows.targets, found, range(classes)) for name, found in (("fp32", before), ("int8", after))
    }
    return {
        "macro_f1": round(scores["int8"], 6),
        "fp32_macro_f1": round(scores["fp32"], 6),
        "loss": round(max(0.0, scores["fp32"] - scores["int8"]), 6),
        "agreement": round(float((before == after).mean()), 6),
        "megabytes": round(int8.stat().st_size / 1e6, 3),
        "fp32_megabytes": round(fp32.stat().st_size / 1e6, 3),
    }


def answers(graph: Path, encoder: Encoder, texts: list[str]) -> np.ndarray:
    """The index of the most likely label of each text, by one thread."""
    session = OnnxRuntime().load(graph)
    found = np.empty(len(texts), dtype=np.int64)
    for places, (ids, mask) in encoder.batches(texts, BATCH):
        found[places] = session.infer(ids, mask).argmax(axis=1)
    return found


def no_preprocessing_hint(record: logging.LogRecord) -> bool:
    """Its advice to run a pre-processing step, which fails on graphs of the dynamo exporter."""
    return "pre-processing" not in record.getMessage()
