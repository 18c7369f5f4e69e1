"""Export, quantize and build for tasks whose models generate: graphs with a KV cache, tried as they are served.

The stages of that name hand over to this module by the head of the task. What differs from one pass over a text: the
graphs, of an encoder-decoder two, the greedy answers that must be PyTorch's token by token, and how a text is answered,
a token after the other.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx as onnx_format
import torch

from components.artifacts import of_kind, verify, write_manifest
from components.deployment.canonical import FOR_ONNXRUNTIME, tools
from components.deployment.card import model_card
from components.deployment.description import BundleOptions, copy_tokenizer, describe
from components.deployment.generation.export import FUSED_OPSET, export_decoder, export_encoder_decoder
from components.deployment.generation.output_parity import OutputParity, Reference, output_parity
from components.deployment.notices import write_notices
from components.deployment.quantizers import QUANTIZERS, quantized
from components.deployment.source import Source, load_weights, read_source
from components.errors import ArtifactError, EngineError, VerificationError, first_line
from components.evaluation.metrics import Bootstrap
from components.modeling.kinds import CARRIES_ON
from components.runtime.generation.generator import Generator, open_generator
from components.runtime.manifest import BESIDE, graph_file, megabytes
from components.staging import staged
from components.tasks.kinds import task_of
from components.tasks.metrics import Metric, score
from components.tasks.rows import read_split, read_task

if TYPE_CHECKING:
    from components.deployment.config import BuildConfig, ExportConfig, GateConfig, QuantizeConfig
    from components.run import Metrics, Run
    from components.tasks.config import TaskConfig
    from components.tasks.task import Row, Task

FLOAT = "fp32"
PARTS = {"decoder": ("decoder",), "encoder-decoder": ("encoder", "decoder")}
"""Graphs of a model, by the form of its source."""
HINT = "nothing was shipped; run `dvc repro`, and if it stays so, report it: the exporter or quantizer is at fault"


@dataclass(frozen=True)
class Model:
    """A checkpoint of a task, and what a bundle's manifest says of it."""

    source: Source
    weights: Any
    details: dict[str, Any]

    @classmethod
    def read(cls, folder: Path, task: TaskConfig, name: str, opset: int, max_batch: int, run: Run) -> Model:
        """Raises ArtifactError where it is neither a decoder nor an encoder-decoder."""
        torch.set_num_threads(1)  # so that the last bits of the differences repeat on any number of cores
        source = read_source(folder)
        if source.form not in PARTS:
            raise ArtifactError(f"{folder}: a {source.config.model_type} does not generate", "run `dvc repro`")
        weights = load_weights(source, run.say)
        options = BundleOptions(opset=opset, max_batch=max_batch, max_length=task.max_length)
        details = describe(source, options, name) | {"parameters": weights.num_parameters()}
        if source.form == "decoder":
            details["framed"] = False
        return cls(source, weights, details)

    @property
    def parts(self) -> tuple[str, ...]:
        """Its graphs."""
        return PARTS[self.source.form]

    def graphs(self, opset: int) -> dict[str, onnx_format.ModelProto]:
        """Each of its graphs."""
        if self.source.form == "decoder":
            return {"decoder": export_decoder(self.weights, opset)}
        return export_encoder_decoder(self.weights, opset)

    def reference(self, rung: Generator, rows: Sequence[Row]) -> Reference:
        """What PyTorch says to some rows."""
        targets = [] if self.source.form == "decoder" else [row["target"] for row in rows]
        return Reference(self.weights, rung, [row["text"] for row in rows], targets)


def export(
    config: ExportConfig, task: TaskConfig, task_name: str, rows: Path, student: Path, onnx: Path, run: Run
) -> Metrics:
    """Write the graphs, and those that ONNX Runtime's own rungs are made of, and verify on validation rows that both
    answer as PyTorch does. Raises ArtifactError."""
    made = verify(student, "classifier")
    model = Model.read(student, task, task_name, config.opset, 1, run)
    run.say(f"exporting {model.weights.num_parameters():,} parameters to ONNX with a KV cache, opset {config.opset}")
    with staged(onnx, of_kind("onnx")) as folder:
        copy_tokenizer(model.source, folder)
        files = _write(model.graphs(config.opset), folder, ".onnx")
        rung = _opened(folder, model.details, {FLOAT: files}, FLOAT)
        reference = model.reference(rung, _rows(rows))
        parity = _same(reference, rung, config)
        own = _write(model.graphs(max(config.opset, FUSED_OPSET)), folder, f".{FOR_ONNXRUNTIME}")
        _same(reference, _opened(folder, model.details, {FLOAT: own}, FLOAT), config)
        metrics = {
            "parity": _parity(parity),
            "megabytes": megabytes(folder, files),
            "parameters": model.weights.num_parameters(),
        }
        details = model.details | {"task": task_name, "language": task.language, **task_of(made).manifest()}
        details |= {"distillation": made.get("distillation", ""), "outputs": ["logits"], "tools": tools()}
        details["parts"] = list(files)
        write_manifest(folder, "onnx", {"student": student, "rows": rows}, **details | metrics)
    run.say(str(parity))
    return metrics


def _write(graphs: Mapping[str, onnx_format.ModelProto], folder: Path, ending: str) -> dict[str, str]:
    """Write graphs, each as its name with this ending. Returns the name of each file."""
    files = {part: f"{part}{ending}" for part in graphs}
    for part, graph in graphs.items():
        (folder / files[part]).write_bytes(graph.SerializeToString(deterministic=True))
    return files


def _same(reference: Reference, rung: Generator, config: ExportConfig) -> OutputParity:
    """What a rung in float32 differs by from PyTorch. Raises ArtifactError where that is more than rounding."""
    parity = output_parity(reference, rung)
    if parity.max_difference > config.max_difference or parity.greedy_exact < 1:
        raise ArtifactError(
            f"the ONNX graph is not PyTorch's model: {parity}; export.max_difference allows "
            f"{config.max_difference:g}, on {parity.worst}",
            "try another export.opset",
        )
    return parity


def quantize(
    config: QuantizeConfig, task_name: str, rows: Path, onnx: Path, quantized_folder: Path, run: Run
) -> Metrics:
    """Write the rungs that there are for graphs with a cache, and compare their answers on validation rows with the
    float graph's. One that loses more of the first metric than `max_accuracy_loss` (of perplexity in nats a token) is
    written with `accepted` 0."""
    made = verify(onnx, "onnx")
    wanted = [name for name in config.rungs if name in QUANTIZERS]
    if left_out := [name for name in config.rungs if name not in QUANTIZERS]:
        run.say(f"{', '.join(left_out)}: not made of models that generate, which have no ranges of activations to set")
    files = {part: f"{part}.onnx" for part in made["parts"]}
    own = {part: onnx_format.load(onnx / f"{part}.{FOR_ONNXRUNTIME}") for part in files}
    graphs, unmade = quantized(own, wanted)
    task, validation = task_of(made), _rows(rows)
    texts, targets, answer = [row["text"] for row in validation], task.targets(validation), _answering(task)
    metric = task.metrics[0]
    expected = answer(_opened(onnx, made, {FLOAT: files}, FLOAT), texts)
    top = score(metric, targets, expected)
    bootstrap = Bootstrap(task, targets, config.bootstrap_samples, config.confidence, seed=0)
    rungs: dict[str, dict[str, Any]] = {name: {"accepted": 0, "reason": reason} for name, reason in unmade.items()}
    with staged(quantized_folder, of_kind("quantized")) as folder:
        for name, parts in graphs.items():
            written = {part: f"{name}/{part}.onnx" for part in parts}
            (folder / name).mkdir()
            for part, file in written.items():
                (folder / file).write_bytes(parts[part].SerializeToString(deterministic=True))
            shutil.copyfile(onnx / "tokenizer.json", folder / "tokenizer.json")
            found = answer(_opened(folder, made, {name: written}, name), texts)
            value = score(metric, targets, found)
            loss = round(max(0.0, float(metric.improvement(value, top))), 6)
            accepted = loss <= config.max_accuracy_loss
            rungs[name] = {
                "files": written,
                metric.name: round(value, 6),
                "loss": loss,
                "change": bootstrap.gain(expected, found).metrics(),
                "agreement": round(task.agreement(expected, found), 6),
                "megabytes": megabytes(folder, written),
                "accepted": int(accepted),
                "reason": f"loses {loss:.4f} {_unit(metric)} on validation rows, {'' if accepted else 'only '}"
                f"{config.max_accuracy_loss:g} is allowed",
            }
        (folder / "tokenizer.json").unlink(missing_ok=True)
        named = {f"fp32_{metric.name}": round(top, 6), "fp32_megabytes": made["megabytes"], "sensitivities": {}}
        details = {"task": task_name, "max_accuracy_loss": config.max_accuracy_loss, "ladder": list(rungs)}
        write_manifest(folder, "quantized", {"onnx": onnx, "rows": rows}, **details, rungs=rungs, **named)
    for name, rung in rungs.items():
        run.say(_line(name, rung, metric, top))
    kept = [rung[metric.name] for rung in rungs.values() if rung["accepted"]]
    numbers = {
        name: {key: value for key, value in rung.items() if key not in ("files", "reason")}
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
    made_from = {"onnx": onnx, "quantized": quantized_folder}
    with staged(bundle, of_kind("bundle", BESIDE)) as folder:
        names = _copy_rungs(folder, model, small, onnx, quantized_folder)
        copy_tokenizer(model.source, folder)
        parities = _verified(folder, model, names, _rows(rows)[: gate.rows], gate, small, run)
        kept = list(parities)
        details = _details(model, made, small, kept) | {"max_batch": config.max_batch}
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


def _copy_rungs(folder: Path, model: Model, small: dict[str, Any], onnx: Path, quantized_folder: Path) -> list[str]:
    """Copy the graphs of the float rung and of every accepted one. Returns their names, the top of the ladder first."""
    from_files = {FLOAT: {part: onnx / f"{part}.onnx" for part in model.parts}} | {
        name: {part: quantized_folder / file for part, file in rung["files"].items()}
        for name, rung in small["rungs"].items()
        if rung["accepted"]
    }
    for name, graphs in from_files.items():
        for part, graph in graphs.items():
            target = folder / graph_file(name, part)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(graph, target)
    return list(from_files)


def _details(model: Model, made: dict[str, Any], small: dict[str, Any], kept: list[str]) -> dict[str, Any]:
    """What the manifest says of a bundle with these rungs."""
    metric = task_of(made).metrics[0].name
    quantization = {FLOAT: {metric: small[f"fp32_{metric}"], "megabytes": small["fp32_megabytes"]}}
    return model.details | {
        **task_of(made).manifest(),
        **{key: made[key] for key in ("task", "language", "distillation", "opset", "parity")},
        "ladder": kept,
        "rungs": {name: model_files(name, model) for name in kept},
        "candidate": kept[-1],
        "candidate_because": _because(kept[-1], small),
        "quantization": quantization | small["rungs"],
        "engines": {"onnxruntime": {"rung": kept[-1], "status": "built and run"}},
    }


def _verified(
    folder: Path,
    model: Model,
    names: Sequence[str],
    rows: Sequence[Row],
    gate: GateConfig,
    small: dict[str, Any],
    run: Run,
) -> dict[str, OutputParity]:
    """The rungs that pass, with what they differ by; the others are taken out of `folder` and noted in `small`."""
    paths = {name: model_files(name, model) for name in names}
    parities: dict[str, OutputParity] = {}
    reference: Reference | None = None
    for name in names:
        try:
            rung = _opened(folder, model.details, paths, name)
            reference = reference or model.reference(rung, rows)
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
        shutil.rmtree((folder / paths[name][model.parts[0]]).parent)
    return parities


def model_files(rung: str, model: Model) -> dict[str, str]:
    """Where a bundle has the graphs of a rung."""
    return {part: graph_file(rung, part) for part in model.parts}


def _opened(folder: Path, details: dict[str, Any], rungs: Mapping[str, Mapping[str, str]], rung: str) -> Generator:
    """A rung whose graphs lie in `folder`, and the tokenizer beside them."""
    return open_generator(folder, details | {"rungs": rungs}, rung, 1)


def _answering(task: Task) -> Callable[[Generator, Sequence[str]], np.ndarray]:
    """How a rung answers texts. Imported here, since a stage of one kind loads no code of another."""
    if task.head == CARRIES_ON:
        from components.deployment.generation.scores import generator_scores

        return generator_scores
    from components.deployment.generation.written import generator_answers

    return partial(generator_answers, task)


def _rows(rows: Path) -> list[Row]:
    return read_split(rows / "validation.jsonl", read_task(rows))


def _unit(metric: Metric) -> str:
    return metric.title if metric.larger_is_better else "nats a token"


def _parity(parity: OutputParity) -> dict[str, float]:
    return {name: value for name, value in parity.metrics().items() if not isinstance(value, str)}


def _because(candidate: str, small: dict[str, Any]) -> str:
    refused = "; ".join(f"{name} {rung['reason']}" for name, rung in small["rungs"].items() if not rung["accepted"])
    return f"it {small['rungs'][candidate]['reason']}" if candidate != FLOAT else refused or "it is the only rung"


def _line(name: str, rung: dict[str, Any], metric: Metric, top: float) -> str:
    if metric.name not in rung:
        return f"{name} refused: it {rung['reason']}"
    refused = "" if rung["accepted"] else f"; refused: it {rung['reason']}"
    written = metric.larger_is_better
    same = "the answer is the same in" if written else "the likeliest token is the same in"
    place = "rows" if written else "places"
    return (
        f"{name}: {rung['megabytes']:.2f} MB, {metric.title} {rung[metric.name]:.4f} against {top:.4f}, "
        f"{same} {rung['agreement']:.1%} of {place}{refused}"
    )
