"""Quantization: the rungs below the float graph, each smaller, each judged on validation rows.

int8             int8 weights; activations quantized at run time
int8_static      int8 weights; activations quantized by ranges from training rows (Q/DQ); layers that hurt stay in float
int4_embeddings  as int8_static, with the embedding tables in four bits

All for ONNX Runtime on a CPU. How fast they are is judged at release, on the machine they are for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import ModelProto, TensorProto

from components.artifacts import of_kind, verify, write_manifest
from components.deployment.canonical import FOR_ONNXRUNTIME
from components.deployment.embeddings import quantize_tables
from components.deployment.parity import answers
from components.deployment.quantizers import cannot_be_made, dynamic_int8
from components.deployment.rows import Rows, read_learned, read_rows
from components.deployment.static_quantization import StaticQuantizer, sensitivities
from components.evaluation.metrics import Bootstrap
from components.inference.onnx_runtime import OnnxRuntime
from components.inference.sessions import Arrays
from components.modeling.kinds import GENERATES
from components.runtime.encoding import Encoder, reads_types
from components.runtime.prediction import BATCH
from components.staging import staged
from components.tasks.kinds import task_of
from components.tasks.metrics import Metric, score
from components.tasks.rows import EVERY_ROW, LabelShare, read_task
from components.tasks.task import Task, Text, texts_read

if TYPE_CHECKING:
    from components.deployment.config import QuantizeConfig
    from components.run import Metrics, Run
    from components.tasks.config import TaskConfig


def quantize(
    config: QuantizeConfig,
    task: TaskConfig,
    task_name: str,
    rows: Path,
    onnx: Path,
    quantized: Path,
    run: Run,
    share: LabelShare = EVERY_ROW,
) -> Metrics:
    """Write a graph for each rung of the ladder and compare its answers on validation rows with the float graph's.

    A rung that loses more of the first metric than `max_accuracy_loss` is written all the same, with `accepted` 0 and
    the reason: `build` leaves it out, and release ships the one above. So is one told that cannot be made.
    """
    if read_task(rows).head in GENERATES:
        from components.deployment.generation import ladder

        return ladder.quantize(config, task_name, rows, onnx, quantized, run)
    made = verify(onnx, "onnx")
    encoder = Encoder.load(onnx / "tokenizer.json", made["max_length"], made["pad_id"], reads_types(made))
    validation, train = read_rows(rows, "validation", made["labels"]), read_learned(rows, made["labels"], share)
    judged_by = task_of(made)
    check = QualityCheck(config, _source(onnx), encoder, validation, judged_by)
    metric = judged_by.metrics[0]
    with staged(quantized, of_kind("quantized")) as folder:
        context = QuantizationContext(
            config,
            check,
            folder,
            calibration_batches(encoder, texts_read(judged_by, train.texts), config.calibration_rows),
        )
        rungs: dict[str, dict[str, Any]] = {name: _made(context, name) for name in config.rungs}
        found = {
            f"fp32_{metric.name}": round(check.fp32_score, 6),
            "fp32_megabytes": _megabytes(check.source),
            "sensitivities": context.measured_sensitivities,
        }
        write_manifest(
            folder,
            "quantized",
            {"onnx": onnx, "rows": rows},
            task=task_name,
            max_accuracy_loss=config.max_accuracy_loss,
            ladder=list(rungs),
            rungs=rungs,
            **found,
        )
    for name, rung in rungs.items():
        run.say(_line(name, rung, found, metric))
    return {
        **found,
        metric.name: _last_accepted(rungs, found, metric),
        "rungs": {name: _numbers(rungs[name]) for name in rungs},
    }


@dataclass(frozen=True)
class QualityCheck:
    """The float graph's answers on validation rows, and what another graph loses to them."""

    config: QuantizeConfig
    source: Path
    encoder: Encoder
    rows: Rows
    task: Task

    @cached_property
    def expected(self) -> np.ndarray:
        return self._answers(self.source)

    @cached_property
    def fp32_score(self) -> float:
        return score(self.metric, self.rows.targets, self.expected)

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        return self.task.metrics[0]

    @cached_property
    def bootstrap(self) -> Bootstrap:
        return Bootstrap(self.task, self.rows.targets, self.config.bootstrap_samples, self.config.confidence, seed=0)

    def verdict(self, graph: Path) -> dict[str, Any]:
        """The score, its loss (never negative), the change with its interval, agreement, size, the verdict."""
        found = self._answers(graph)
        value = score(self.metric, self.rows.targets, found)
        lost = self.metric.improvement(value, self.fp32_score)
        loss, allowed = round(max(0.0, lost), 6), self.config.max_accuracy_loss
        accepted = loss <= allowed
        return {
            "file": graph.name,
            self.metric.name: round(value, 6),
            "loss": loss,
            "change": self.bootstrap.gain(self.expected, found).metrics(),
            "agreement": round(self.task.agreement(self.expected, found), 6),
            "megabytes": _megabytes(graph),
            "accepted": int(accepted),
            "reason": f"loses {loss:.4f} {self.metric.title} on validation rows, "
            + (f"{allowed:g} is allowed" if accepted else f"only {allowed:g} is allowed"),
        }

    def _answers(self, graph: Path) -> np.ndarray:
        """By one thread."""
        return answers(self.task, OnnxRuntime().load(graph).run, self.encoder, self.rows.texts)


@dataclass
class QuantizationContext:
    """What the recipes share: the static quantizer, what each layer costs, the layers that stay in float."""

    config: QuantizeConfig
    check: QualityCheck
    folder: Path
    calibration: list[Arrays]
    measured_sensitivities: dict[str, float] = field(default_factory=dict)
    kept: list[str] | None = None

    @cached_property
    def static(self) -> StaticQuantizer:
        return StaticQuantizer.calibrated(self.check.source, self.calibration, self.config.per_channel)

    def float_layers(self) -> list[str]:
        """The layers kept in float: none where all in int8 lose little, else those that hurt most, one more a try.

        What hurts is measured in that case alone: a graph a layer takes minutes where there are many layers.
        """
        if self.kept is None:
            self.kept = [] if self.config.max_float_layers == 0 or self._fits([]) else self._worst()
        return self.kept

    def _worst(self) -> list[str]:
        """As few of the layers that hurt most as have to stay in float, or none where no number of them helps."""
        self.measured_sensitivities = sensitivities(self.static, self.check.source, self.calibration)
        worst = list(self.measured_sensitivities)[: self.config.max_float_layers]
        tries = (worst[:count] for count in range(1, len(worst) + 1))
        return next((kept for kept in tries if self._fits(kept)), [])

    def _fits(self, kept: list[str]) -> bool:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            _write(self.static.graph(self.without(kept)), path)
            return bool(self.check.verdict(path)["accepted"])

    def without(self, kept: list[str]) -> list[str]:
        return [name for name in (*self.static.matmuls, *self.static.embedding_tables) if name not in kept]


def int8(context: QuantizationContext, name: str) -> dict[str, Any]:
    """The dynamic rung."""
    path = context.folder / f"{name}.onnx"
    quantize_graph(context.check.source, path, context.config.per_channel)
    return context.check.verdict(path)


def int8_static(context: QuantizationContext, name: str) -> dict[str, Any]:
    """The static rung, with as many layers in float as it takes; all in int8 where no number of them helps."""
    kept = context.float_layers()
    path = context.folder / f"{name}.onnx"
    _write(context.static.graph(context.without(kept)), path)
    return context.check.verdict(path) | {"float_layers": kept}


def int4_embeddings(context: QuantizationContext, name: str) -> dict[str, Any]:
    """The static rung's matrix products over embedding tables of four bits."""
    kept = [layer for layer in context.float_layers() if layer not in context.static.embedding_tables]
    model = context.static.graph(context.without([*kept, *context.static.embedding_tables]))
    tables = quantize_tables(model, context.config.embedding_block)
    path = context.folder / f"{name}.onnx"
    _write(model, path)
    found = context.check.verdict(path) | {"float_layers": kept}
    return found if tables else found | {"accepted": 0, "reason": "has no embedding table of its own to make smaller"}


RECIPES: dict[str, Callable[[QuantizationContext, str], dict[str, Any]]] = {
    "int8": int8,
    "int8_static": int8_static,
    "int4_embeddings": int4_embeddings,
}


def _made(context: QuantizationContext, name: str) -> dict[str, Any]:
    """A rung by its recipe. What its quantizer or engine cannot do costs this rung, not those above it; what may be
    otherwise next time, such as a full disk, is no verdict on it and ends the stage."""
    try:
        return RECIPES[name](context, name)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # the quantizers' exceptions share no base class but Exception
        (context.folder / f"{name}.onnx").unlink(missing_ok=True)
        return {"accepted": 0, "reason": cannot_be_made(error)}


def quantize_graph(source: Path, target: Path, per_channel: bool) -> None:
    """Quantize the weights of matrix products and embedding tables; equal input gives equal bytes."""
    # The type of what ONNX Runtime's own operators give, which shape inference does not know.
    extra = {"DefaultTensorType": TensorProto.FLOAT}
    graph = dynamic_int8(source, ["MatMul", "Gemm", "Gather"], per_channel, extra)
    del graph.graph.value_info[:]
    _write(graph, target)


def _source(onnx: Path) -> Path:
    """The graph to quantize: ONNX Runtime's own where the architecture has one."""
    own = onnx / FOR_ONNXRUNTIME
    return own if own.is_file() else onnx / "model.onnx"


def calibration_batches(encoder: Encoder, texts: Sequence[Text], count: int) -> list[Arrays]:
    """Batches of `count` rows, evenly spaced among the texts: the same rows every time."""
    chosen = np.unique(np.linspace(0, len(texts) - 1, min(count, len(texts))).round().astype(int))
    return [batch for _, batch in encoder.batches([texts[place] for place in chosen], BATCH)]


def _last_accepted(rungs: dict[str, dict[str, Any]], found: dict[str, Any], metric: Metric) -> float:
    scores = (rung[metric.name] for rung in reversed(rungs.values()) if rung["accepted"])
    return next(scores, found[f"fp32_{metric.name}"])


def _numbers(rung: dict[str, Any]) -> dict[str, Any]:
    """The fields of a rung written to the metrics file."""
    kept = {name: value for name, value in rung.items() if name not in ("file", "reason", "float_layers")}
    return kept | ({"float_layers": len(rung["float_layers"])} if "float_layers" in rung else {})


def _line(name: str, rung: dict[str, Any], found: dict[str, Any], metric: Metric) -> str:
    if metric.name not in rung:
        return f"{name} refused: it {rung['reason']}"
    kept = f", in float: {', '.join(rung['float_layers'])}" if rung.get("float_layers") else ""
    return (
        f"{name}: {rung['megabytes']:.2f} of {found['fp32_megabytes']:.2f} MB, "
        f"{metric.title} {rung[metric.name]:.4f} against {found[f'fp32_{metric.name}']:.4f}, "
        f"answers agree on {rung['agreement']:.1%}{kept}"
        + ("" if rung["accepted"] else f"; refused: it {rung['reason']}")
    )


def _megabytes(path: Path) -> float:
    return round(path.stat().st_size / 1e6, 3)


def _write(model: ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString(deterministic=True))
