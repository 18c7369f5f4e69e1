"""Export: a PyTorch checkpoint as one ONNX file whose bytes depend on weights and parameters alone."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from onnx import ModelProto
from transformers import PreTrainedModel

from components.artifacts import of_kind, verify, write_manifest
from components.deployment.canonical import FOR_ONNXRUNTIME, PROTOBUF_LIMIT, canonical, quiet, tools
from components.deployment.fused_attention import for_onnxruntime, fused, portable
from components.deployment.layer_parity import LayerMismatch, first_mismatch
from components.deployment.parity import Parity, compare, shapes
from components.deployment.pytorch import load_model, outputs_of, torch_infer
from components.deployment.rows import Rows, read_rows
from components.deployment.temperature import divide_logits, fit_temperature, picks_a_label
from components.deployment.weights import name_weights
from components.errors import ArtifactError
from components.inference.onnx_runtime import OnnxRuntime
from components.inference.sessions import Arrays
from components.modeling.kinds import GENERATES
from components.modeling.loading import takes_types
from components.runtime.encoding import IDS, MASK, TYPES, Encoder
from components.runtime.prediction import task_outputs
from components.staging import staged
from components.tasks.kinds import task_of
from components.tasks.rows import read_task
from components.tasks.task import Task, texts_read

if TYPE_CHECKING:
    from components.deployment.config import ExportConfig
    from components.run import Metrics, Run
    from components.tasks.config import TaskConfig

LIMIT = 1e-4
"""Share of a layer's output by which float32 sums in another order do not differ."""


def export(
    config: ExportConfig, task: TaskConfig, task_name: str, rows: Path, student: Path, onnx: Path, run: Run
) -> Metrics:
    """Write model.onnx and verify on validation rows that it answers as PyTorch does. Raises ArtifactError."""
    if read_task(rows).head in GENERATES:
        from components.deployment.generation import ladder

        return ladder.export(config, task, task_name, rows, student, onnx, run)
    torch.set_num_threads(1)  # so that the last bits of the differences repeat on any number of cores
    made = verify(student, "classifier")
    model = load_model(student)
    types = task_of(made).reads_pairs and takes_types(model.config)
    encoder = Encoder.load(student / "tokenizer.json", task.max_length, int(model.config.pad_token_id or 0), types)
    validation = read_rows(rows, "validation", made["labels"])
    texts = validation.texts
    scale = calibrate(model, task_of(made), encoder, validation, run) if config.temperature else {}
    run.say(f"exporting {model.num_parameters():,} parameters to ONNX, opset {config.opset}")
    graph, own = export_for_rows(model, config.opset, task.max_length, types)
    batches = shapes(encoder, texts_read(task_of(made), texts))
    with staged(onnx, of_kind("onnx")) as folder:
        shutil.copyfile(student / "tokenizer.json", folder / "tokenizer.json")
        if own:
            _verify_parity(model, own, folder / FOR_ONNXRUNTIME, batches, config.max_difference)
        parity = _verify_parity(model, graph, folder / "model.onnx", batches, config.max_difference)
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
            **task_of(made).manifest(),
            max_length=task.max_length,
            pad_id=encoder.pad_id,
            **({"token_types": True} if types else {}),
            **scale,
            opset=config.opset,
            architecture=model.config.model_type,
            distillation=made.get("distillation", ""),
            outputs=[value.name for value in graph.graph.output],
            tools=tools(),
            **metrics,
        )
    run.say(f"largest difference from PyTorch {parity.max_difference:.1e}, answers agree on {parity.agreement:.1%}")
    return metrics


def calibrate(model: PreTrainedModel, task: Task, encoder: Encoder, validation: Rows, run: Run) -> dict[str, float]:
    """Divide the model's logits by the temperature that fits the validation rows. Returns what the manifest says of it:
    nothing of a kind that does not pick one of its labels, which stays as it is."""
    if not picks_a_label(task):
        return {}
    logits = task_outputs(task, torch_infer(model), encoder, validation.texts)
    temperature = fit_temperature(logits, validation.targets)
    divide_logits(model, temperature)
    run.say(f"logits are divided by {temperature:.3g}, the temperature that fits the validation rows")
    # `temperature` alone is what a retrieval model divides cosines by.
    return {"logit_temperature": temperature}


def _verify_parity(
    model: PreTrainedModel, graph: ModelProto, path: Path, batches: Mapping[str, Arrays], max_difference: float
) -> Parity:
    """Write a graph and compare it with the model. Raises ArtifactError."""
    path.write_bytes(graph.SerializeToString(deterministic=True))
    parity = compare(torch_infer(model), OnnxRuntime().load(path).run, batches, outputs_of(model))
    check(parity, max_difference, lambda: first_mismatch(model, graph, batches[parity.worst_shape], LIMIT))
    return parity


def check(parity: Parity, max_difference: float, mismatch: Callable[[], LayerMismatch | None]) -> None:
    """Raise ArtifactError, naming the shape and the layer, when the graph is further from PyTorch than allowed."""
    if parity.max_difference > max_difference:
        raise ArtifactError(
            f"the ONNX graph differs from PyTorch by {parity.max_difference:.2g} on {parity.worst_shape}; "
            f"export.max_difference allows {max_difference:g}",
            f"{mismatch() or 'no layer differs by itself'}; try another export.opset",
        )


def _attention_mask(mask: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"attention_mask": mask}


def _input_mask(mask: torch.Tensor) -> dict[str, torch.Tensor]:
    """1 where there is padding: XLNet's own way from the other mask cannot be traced."""
    return {"input_mask": (mask == 0).float()}


MASKS: dict[str, Callable[[torch.Tensor], dict[str, torch.Tensor]]] = {"xlnet": _input_mask}
"""Model type -> how it is told of padding, where not by `attention_mask`."""


class _Answers(torch.nn.Module):
    """The model without the outputs a server has no use for."""

    def __init__(self, model: PreTrainedModel, outputs: Sequence[str]) -> None:
        super().__init__()
        self.model, self.outputs = model, outputs

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, token_type_ids: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, ...]:
        more = {} if token_type_ids is None else {TYPES: token_type_ids}
        mask = MASKS.get(self.model.config.model_type, _attention_mask)(attention_mask)
        found = self.model(input_ids=input_ids, **mask, **more)
        return tuple(found[name] for name in self.outputs)


def export_graph(model: PreTrainedModel, opset: int, types: bool = False) -> ModelProto:
    """The model as an ONNX graph with dynamic batch and length and its head's outputs by name, each weight once and
    called as PyTorch calls it, without a trace of where it was made."""
    return canonical(_traced(model, opset, types))


def export_for_rows(
    model: PreTrainedModel, opset: int, max_length: int, types: bool = False
) -> tuple[ModelProto, ModelProto | None]:
    """The same for rows of at most `max_length` tokens: in standard operators, and with those that ONNX Runtime has
    for attention; None in place of the latter where they are not known for the architecture."""
    with fused(model, max_length) as known:
        # In canonical form before they part: what both compute has one name in both.
        traced = canonical(_traced(model, opset, types))
    return portable(traced), for_onnxruntime(traced) if known else None


def _traced(model: PreTrainedModel, opset: int, types: bool) -> ModelProto:
    if 4 * model.num_parameters() > PROTOBUF_LIMIT:
        raise ArtifactError(
            f"{model.num_parameters():,} float32 parameters do not fit one ONNX file", "lower model.depth"
        )
    outputs = list(outputs_of(model))
    ids = torch.full((2, 8), 4, dtype=torch.int64)
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    given = {IDS: ids, MASK: mask} | ({TYPES: torch.zeros_like(ids)} if types else {})
    dynamic = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    with warnings.catch_warnings(), quiet("torch.onnx"), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Answers(model, outputs).eval(),
            tuple(given.values()),
            dynamo=True,
            opset_version=opset,
            dynamic_shapes=dict.fromkeys(given, dynamic),
            input_names=list(given),
            output_names=outputs,
            verbose=False,
        )
    proto: ModelProto = program.model_proto  # type: ignore[union-attr]
    name_weights(proto.graph, {name: value.numpy(force=True) for name, value in model.named_parameters()})
    for value in proto.graph.output:
        for axis, name in zip(value.type.tensor_type.shape.dim, ("batch", "length"), strict=False):
            if axis.dim_param:
                axis.dim_param = name
    return proto
