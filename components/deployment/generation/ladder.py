"""Export, quantize and build for tasks whose models generate: a graph with a KV cache, tried as it is served.

The stages of that name hand over to this module by the head of the task. What differs from one pass over a text: the
graph, the greedy answers that must be PyTorch's token by token, and how a text is scored, a token after the other.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx as onnx_format
import torch

from components.artifacts import of_kind, verify, write_manifest
from components.deployment.canonical import tools
from components.deployment.card import model_card
from components.deployment.description import BundleOptions, copy_tokenizer, describe
from components.deployment.generation.export import export_decoder
from components.deployment.generation.output_parity import OutputParity, Reference, output_parity
from components.deployment.generation.scores import generator_scores
from components.deployment.notices import write_notices
from components.deployment.quantizers import QUANTIZERS, quantized
from components.deployment.source import Source, load_weights, read_source
from components.errors import ArtifactError, EngineError, VerificationError, first_line
from components.evaluation.metrics import Bootstrap
from components.runtime.generation.generator import Generator, open_generator
from components.runtime.manifest import BESIDE, graph_file, megabytes
from components.staging import staged
from components.tasks.kinds import task_of
from components.tasks.metrics import score
from components.tasks.rows import read_split, read_task

if TYPE_CHECKING:
    from components.deployment.config import BuildConfig, ExportConfig, GateConfig, QuantizeConfig
    from components.run import Metrics, Run
    from components.tasks.config import TaskConfig

FLOAT = "fp32"
PART = "decoder"
TAKEN_OVER = ("task", "task_kind", "labels", "language", "distillation", "opset", "parity")
"""What a bundle's manifest has from its graph's."""
HINT = "nothing was shipped; run `dvc repro`, and if it stays so, report it: the exporter or quantizer is at fault"


@dataclass(frozen=True)
class Model:
    """A checkpoint of a task, and what a bundle's manifest says of it."""

    source: Source
    weights: Any
    details: dict[str, Any]

    @classmethod
    def read(cls, folder: Path, task: TaskConfig, name: str, opset: int, max_batch: int, run: Run) -> Model:
        """Raises ArtifactError where it is no decoder."""
        torch.set_num_threads(1)  # so that the last bits of the differences repeat on any number of cores
        source = read_source(folder)
        if source.form != "decoder":
            raise ArtifactError(f"{folder}: a {source.config.model_type} does not generate", "run `dvc repro`")
        weights = load_weights(source, run.say)
        options = BundleOptions(opset=opset, max_batch=max_batch, max_length=task.max_length)
        details = describe(source, options, name) | {"framed": False, "parameters": weights.num_parameters()}
        return cls(source, weights, details)


def export(
    config: ExportConfig, task: TaskConfig, task_name: str, rows: Path, student: Path, onnx: Path, run: Run
) -> Metrics:
    """Write decoder.onnx and verify on validation rows that it answers as PyTorch does. Raises ArtifactError."""
    made = verify(student, "classifier")
    model = Model.read(student, task, task_name, config.opset, 1, run)
    run.say(f"exporting {model.weights.num_parameters():,} parameters to ONNX with a KV cache, opset {config.opset}")
    with staged(onnx, of_kind("onnx")) as folder:
        copy_tokenizer(model.source, folder)
        graph = export_decoder(model.weights, config.opset)
        (folder / f"{PART}.onnx").write_bytes(graph.SerializeToString(deterministic=True))
        rung = _opened(folder, model.details, {FLOAT: f"{PART}.onnx"}, FLOAT)
        parity = output_parity(Reference(model.weights, rung, _texts(rows, "validation")), rung)
        if parity.max_difference > config.max_difference or parity.greedy_exact < 1:
            raise ArtifactError(
                f"the ONNX graph is not PyTorch's model: {parity}; export.max_difference allows "
                f"{config.max_difference:g}, on {parity.worst}",
                "try another export.opset",
            )
        metrics = {
            "parity": _parity(parity),
            "megabytes": megabytes(folder, {PART: f"{PART}.onnx"}),
            "parameters": model.weights.num_parameters(),
        }
        details = model.details | {"task": task_name, "language": task.language, **task_of(made).manifest()}
        details |= {"distillation": made.get("distillation", ""), "outputs": ["logits"], "tools": tools()}
        write_manifest(folder, "onnx", {"student": student, "rows": rows}, **details | metrics)
    run.say(str(parity))
    return metrics


def quantize(
    config: QuantizeConfig, task_name: str, rows: Path, onnx: Path, quantized_folder: Path, run: Run
) -> Metrics:
    """Write the rungs that there are for graphs with a cache, and compare their perplexity on validation rows with the
    float graph's. One that loses more than `max_accuracy_loss`, in nats a token, is written with `accepted` 0."""
    made = verify(onnx, "onnx")
    wanted = [name for name in config.rungs if name in QUANTIZERS]
    if left_out := [name for name in config.rungs if name not in QUANTIZERS]:
        run.say(f"{', '.join(left_out)}: not made of models that generate, which have no ranges of activations to set")
    graphs, unmade = quantized({PART: onnx_format.load(onnx / f"{PART}.onnx")}, wanted)
    task, texts = task_of(made), _texts(rows, "validation")
    metric, targets = task.metrics[0], np.zeros(len(texts))
    expected = generator_scores(_opened(onnx, made, {FLOAT: f"{PART}.onnx"}, FLOAT), texts)
    top = score(metric, targets, expected)
    bootstrap = Bootstrap(task, targets, config.bootstrap_samples, config.confidence, seed=0)
    rungs: dict[str, dict[str, Any]] = {name: {"accepted": 0, "reason": reason} for name, reason in unmade.items()}
    with staged(quantized_folder, of_kind("quantized")) as folder:
        for name, parts in graphs.items():
            path = folder / f"{name}.onnx"
            path.write_bytes(parts[PART].SerializeToString(deterministic=True))
            shutil.copyfile(onnx / "tokenizer.json", folder / "tokenizer.json")
            found = generator_scores(_opened(folder, made, {name: path.name}, name), texts)
            value = score(metric, targets, found)
            loss = round(max(0.0, float(metric.improvement(value, top))), 6)
            accepted = loss <= config.max_accuracy_loss
            rungs[name] = {
                "file": path.name,
                metric.name: round(value, 6),
                "loss": loss,
                "change": bootstrap.gain(expected, found).metrics(),
                "agreement": round(task.agreement(expected, found), 6),
                "megabytes": megabytes(folder, {PART: path.name}),
                "accepted": int(accepted),
                "reason": f"loses {loss:.4f} nats a token on validation rows, {'' if accepted else 'only '}"
                f"{config.max_accuracy_loss:g} is allowed",
            }
        (folder / "tokenizer.json").unlink(missing_ok=True)
        named = {f"fp32_{metric.name}": round(top, 6), "fp32_megabytes": made["megabytes"], "sensitivities": {}}
        details = {"task": task_name, "max_accuracy_loss": config.max_accuracy_loss, "ladder": list(rungs)}
        write_manifest(folder, "quantized", {"onnx": onnx, "rows": rows}, **details, rungs=rungs, **named)
    for name, rung in rungs.items():
        run.say(_line(name, rung, metric.name, top))
    kept = [rung[metric.name] for rung in rungs.values() if rung["accepted"]]
    numbers = {
        name: {key: value for key, value in rung.items() if key not in ("file", "reason")}
        for name, rung in rungs.items()
    }
    return {**named, metric.name: kept[-1] if kept else named[f"fp32_{metric.name}"], "rungs": numbers}


def build(
    config: BuildConfig,
    gate: GateConfig,
    task: TaskConfig,
    task_name: str,
    rows: Path,
    student: Path,
    onnx: Path,
    quantized_folder: Path,
    bundle: Path,
    run: Run,
) -> Metrics:
    """Assemble the bundle and verify it against the student: fp32 answers greedily as PyTorch, token by token.

    A rung below that loses more than the gate allows is left out with its reason. Raises VerificationError.
    """
    made, small = verify(onnx, "onnx"), verify(quantized_folder, "quantized")
    model = Model.read(student, task, task_name, made["opset"], config.max_batch, run)
    texts = _texts(rows, "validation")[: gate.rows]
    with staged(bundle, of_kind("bundle", BESIDE)) as folder:
        below = {name: quantized_folder / rung["file"] for name, rung in small["rungs"].items() if rung["accepted"]}
        for name, graph in {FLOAT: onnx / f"{PART}.onnx", **below}.items():
            target = folder / graph_file(name, PART)
            target.parent.mkdir(parents=True)
            shutil.copyfile(graph, target)
        copy_tokenizer(model.source, folder)
        parities = _verified(folder, model, [FLOAT, *below], texts, gate, small, run)
        kept = list(parities)
        quantization = {FLOAT: {"perplexity": small["fp32_perplexity"], "megabytes": small["fp32_megabytes"]}}
        details = model.details | {
            **{
                key: made[key] for key in ("task", "task_kind", "labels", "language", "distillation", "opset", "parity")
            },
            "ladder": kept,
            "rungs": {name: {PART: graph_file(name, PART)} for name in kept},
            "candidate": kept[-1],
            "candidate_because": _because(kept[-1], small),
            "quantization": quantization | small["rungs"],
            "engines": {"onnxruntime": {"rung": kept[-1], "status": "built and run"}},
            "max_batch": config.max_batch,
        }
        made_from = {"onnx": onnx, "quantized": quantized_folder}
        (folder / "README.md").write_text(model_card(details), encoding="utf-8")
        write_notices(folder, made_from)
        write_manifest(folder, "bundle", made_from, **details)
        sizes = {name: megabytes(folder, details["rungs"][name]) for name in sorted(kept)}
    for name, parity in parities.items():
        run.say(f"{name}: {parity}")
    if others := [name for name in config.engines if name != "onnxruntime"]:
        run.say(f"{', '.join(others)}: not built for models that generate; `lianzi build` does")
    run.say(f"candidate for release: {kept[-1]}, {details['candidate_because']}")
    return {
        "rungs": len(kept),
        "refused": len(small["rungs"]) + 1 - len(kept),
        "megabytes": sizes,
        "engines_asked_for": len(config.engines),
        "engines_built": 1,
        "engines_run": 1,
        "gate": {name: _parity(parity) for name, parity in parities.items()},
    }


def _verified(
    folder: Path,
    model: Model,
    names: Sequence[str],
    texts: list[str],
    gate: GateConfig,
    small: dict[str, Any],
    run: Run,
) -> dict[str, OutputParity]:
    """The rungs that pass, with what they differ by; the others are taken out of `folder` and noted in `small`."""
    paths = {name: graph_file(name, PART) for name in names}
    parities: dict[str, OutputParity] = {}
    reference: Reference | None = None
    for name in names:
        try:
            rung = _opened(folder, model.details, paths, name)
            reference = reference or Reference(model.weights, rung, texts)
            parity = output_parity(reference, rung)
            reason = parity.refusal(name, gate)
        except EngineError as error:
            reason = first_line(error).replace(f"{folder}/", "")
        if reason is None:
            parities[name] = parity
            continue
        if name == FLOAT:
            raise VerificationError(f"rung {name}", reason, HINT)
        run.say(f"{name} refused by the gate: {reason}")
        small["rungs"][name] |= {"accepted": 0, "reason": f"is refused by the gate: {reason}"}
        shutil.rmtree((folder / paths[name]).parent)
    return parities


def _opened(folder: Path, details: dict[str, Any], files: dict[str, str], rung: str) -> Generator:
    """A rung whose graph lies in `folder`, and the tokenizer beside it."""
    return open_generator(folder, details | {"rungs": {name: {PART: path} for name, path in files.items()}}, rung, 1)


def _texts(rows: Path, split: str) -> list[str]:
    return [row["text"] for row in read_split(rows / f"{split}.jsonl", read_task(rows))]


def _parity(parity: OutputParity) -> dict[str, float]:
    return {name: value for name, value in parity.metrics().items() if not isinstance(value, str)}


def _because(candidate: str, small: dict[str, Any]) -> str:
    refused = "; ".join(f"{name} {rung['reason']}" for name, rung in small["rungs"].items() if not rung["accepted"])
    return f"it {small['rungs'][candidate]['reason']}" if candidate != FLOAT else refused or "it is the only rung"


def _line(name: str, rung: dict[str, Any], metric: str, top: float) -> str:
    if metric not in rung:
        return f"{name} refused: it {rung['reason']}"
    refused = "" if rung["accepted"] else f"; refused: it {rung['reason']}"
    return (
        f"{name}: {rung['megabytes']:.2f} MB, {metric} {rung[metric]:.4f} against {top:.4f}, "
        f"the likeliest token is the same in {rung['agreement']:.1%} of places{refused}"
    )
