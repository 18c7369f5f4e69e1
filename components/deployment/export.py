"""Export: a PyTorch classifier as one ONNX file whose bytes depend on weights and parameters alone."""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from onnx import ModelProto
from transformers import PreTrainedModel

from components.artifacts import staged, verify, write_manifest
from components.deployment.canonical import canonical
from components.deployment.encoding import Encoder
from components.deployment.engines import OnnxRuntime
from components.deployment.parity import Parity, compare, shapes
from components.deployment.pytorch import load_model, torch_infer
from components.deployment.rows import read_rows
from components.errors import ArtifactError

if TYPE_CHECKING:
    from components.params import ExportConfig, TaskConfig
    from components.run import Metrics, Run

PROTOBUF_LIMIT = 2**31
"""Bytes one protobuf message, so one ONNX file, may have."""


def export(
    config: ExportConfig, task: TaskConfig, task_name: str, rows: Path, student: Path, onnx: Path, run: Run
) -> Metrics:
    """Write model.onnx and prove on validation rows that it answers as PyTorch does. Raises ArtifactError."""
    torch.set_num_threads(1)  # so that the last bits of the differences repeat on any number of cores
    made = verify(student, "classifier")
    model = load_model(student)
    encoder = Encoder.load(student / "tokenizer.json", task.max_length, int(model.config.pad_token_id or 0))
    texts = read_rows(rows, "validation", made["labels"]).texts
    run.say(f"exporting {model.num_parameters():,} parameters to ONNX, opset {config.opset}")
    graph = export_graph(model, config.opset)
    with staged(onnx) as folder:
        (folder / "model.onnx").write_bytes(graph.SerializeToString(deterministic=True))
        shutil.copyfile(student / "tokenizer.json", folder / "tokenizer.json")
        session = OnnxRuntime().load(folder / "model.onnx")
        parity = compare(torch_infer(model), session.infer, shapes(encoder, texts))
        check(parity, config.max_difference)
        metrics = {
            "parity": parity.metrics(),
            "megabytes": round((folder / "model.onnx").stat().st_size / 1e6, 3),
            "parameters": model.num_parameters(),
        }
        write_manifest(
            folder,
            "onnx",
            {"student": student, "rows": rows},
            task=task_name,
            language=task.language,
            labels=made["labels"],
            max_length=task.max_length,
            pad_id=encoder.pad_id,
            opset=config.opset,
            architecture=model.config.model_type,
            **metrics,
        )
    run.say(f"largest difference from PyTorch {parity.max_difference:.1e}, answers agree on {parity.agreement:.1%}")
    return metrics


def check(parity: Parity, max_difference: float) -> None:
    """Raise ArtifactError, naming the shape, when the graph is further from PyTorch than allowed."""
    if parity.max_difference > max_difference:
        raise ArtifactError(
            f"the ONNX graph differs from PyTorch by {parity.max_difference:.2g} on {parity.worst_shape}; "
            f"export.max_difference allows {max_difference:g}",
            "try another export.opset",
        )


class _Logits(torch.nn.Module):
    """The model without the outputs a server has no use for."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.model(input_ids=input_ids, attention_mask=attention_mask).logits


def export_graph(model: PreTrainedModel, opset: int) -> ModelProto:
    """The model as an ONNX graph with dynamic batch and length, without a trace of where it was made."""
    if 4 * model.num_parameters() > PROTOBUF_LIMIT:
        raise ArtifactError(
            f"{model.num_parameters():,} float32 parameters do not fit one ONNX file", "lower model.depth"
        )
    ids = torch.full((2, 8), 4, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with warnings.catch_warnings(), quiet("torch.onnx"), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Logits(model).eval(),
            (ids, mask),
            dynamo=True,
            opset_version=opset,
            dynamic_shapes={"input_ids": dynamic, "attention_mask": dynamic},
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            verbose=False,
        )
    return canonical(program.model_proto)  # type: ignore[union-attr]


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Keep a library's warnings about what it does not need off the console."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
