"""The bundle: one folder with everything that is needed to answer, and the papers that go with it.

models/RUNG/model.onnx of fp32 and of every rung that kept its quality and passed the gate, tokenizer.json, README.md
(the model card), NOTICE, lineage.json, samples/ (token ids of some validation rows, to try engines with) and
manifest.json; of a task that finds answers index/RUNG.npy, their vectors by each rung. Engines are built and tried, but
kept in the engine store: the manifest says what became of each.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.artifacts import of_kind, verify, write_manifest
from components.deployment.card import model_card
from components.deployment.gate import ParityReport, verify_against
from components.deployment.notices import write_notices
from components.deployment.parity import shapes
from components.deployment.rows import read_rows
from components.errors import EngineError, first_line
from components.inference.engines import ENGINES, Engine, OnnxRuntime, Profile
from components.inference.sessions import Arrays
from components.inference.trial import BUILT_AND_RUN, build_and_try, read_samples, write_samples
from components.modeling.kinds import GENERATES
from components.runtime.encoding import Encoder, reads_types
from components.runtime.index import index_file, write_index
from components.runtime.manifest import BESIDE, TOKENIZER, graph_file, megabytes
from components.runtime.prediction import passage_vectors
from components.staging import staged
from components.tasks.kinds import task_of
from components.tasks.rows import read_task
from components.tasks.task import texts_read

if TYPE_CHECKING:
    from components.deployment.config import BuildConfig, GateConfig
    from components.run import Metrics, Run
    from components.tasks.config import TaskConfig

NOTED = ("version", "status", "reason", "agreement")
"""What a bundle says of an engine that was built: how far its numbers are from the graph's differs between machines."""


def build(
    config: BuildConfig,
    gate: GateConfig,
    task: TaskConfig,
    task_name: str,
    rows: Path,
    student: Path,
    onnx: Path,
    quantized: Path,
    bundle: Path,
    run: Run,
) -> Metrics:
    """Assemble the bundle, verify it against the student it was made from (VerificationError), and build its engines.

    A rung below fp32 that the gate refuses is left out, with its reason, and those above it stay. ONNX Runtime must
    work (EngineError otherwise). Another engine that is not there, or fails, is recorded with the reason in the
    manifest, on the model card and on the console.
    """
    if read_task(rows).head in GENERATES:
        from components.deployment.generation import ladder

        return ladder.build(config, gate, task, task_name, rows, student, onnx, quantized, bundle, run)
    made, small = verify(onnx, "onnx"), verify(quantized, "quantized")
    made_from = {"onnx": onnx, "quantized": quantized}
    with staged(bundle, of_kind("bundle", BESIDE)) as folder:
        _copy_rungs(folder, made, small, onnx, quantized)
        write_samples(folder, _samples(made, onnx, rows))
        # Not the last word on it, but whole: the gate reads it as everyone reads a bundle.
        before = _details(task_name, made, small) | {"candidate": "fp32", "engines": {}, "max_batch": config.max_batch}
        write_manifest(folder, "bundle", made_from, **before)
        report = verify_against(folder, student, rows, gate)
        _take_out_refused(folder, small, report, run)
        candidate, reason = candidate_of(small)
        details = _details(task_name, made, small) | {
            "candidate": candidate,
            "candidate_because": reason,
            "engines": build_engines(config, made, folder, candidate),
            "max_batch": config.max_batch,
        }
        (folder / "README.md").write_text(model_card(details), encoding="utf-8")
        write_notices(folder, made_from)
        write_manifest(folder, "bundle", made_from, **details)
        metrics = _metrics(folder, details) | {"gate": report.metrics()}
    _tell(details, report, run)
    return metrics


def _copy_rungs(folder: Path, made: dict[str, Any], small: dict[str, Any], onnx: Path, quantized: Path) -> None:
    """The graphs of fp32 and of every accepted rung, with the tokenizer, and the indexes where there are passages."""
    rungs = {
        "fp32": onnx / "model.onnx",
        **{name: quantized / rung["file"] for name, rung in accepted(small).items()},
    }
    for name, graph in rungs.items():
        _copy(graph, folder / graph_file(name, "model"))
    _copy(onnx / "tokenizer.json", folder / "tokenizer.json")
    if task_of(made).output.embeds:
        _write_indexes(folder, made, rungs)


def _take_out_refused(folder: Path, small: dict[str, Any], report: ParityReport, run: Run) -> None:
    """Take the rungs that the gate refuses out of `folder`, and note why in `small`."""
    for name, refusal in report.refused.items():
        run.say(f"{name} refused by the gate: {refusal.reason}")
        small["rungs"][name] |= {"accepted": 0, "reason": f"is refused by the gate: {refusal.reason}"}
        shutil.rmtree((folder / graph_file(name, "model")).parent)
        (folder / index_file(name)).unlink(missing_ok=True)


def _tell(details: dict[str, Any], report: ParityReport, run: Run) -> None:
    """Say how near each rung is to its student, what became of each engine, and what is to ship."""
    for name in details["rungs"]:
        noise, layer = report.noise[name]
        run.say(f"{name} is the student's model: no layer differs by more than {noise:.2g} of its size ({layer})")
    for name, engine in details["engines"].items():
        run.say(f"engine {name}: {engine['status']}" + (f" ({engine['reason']})" if "reason" in engine else ""))
    candidate, reason = details["candidate"], details["candidate_because"]
    run.say(f"candidate for release: {candidate}, {reason}; it ships unless the release finds it no faster")


def _write_indexes(folder: Path, made: dict[str, Any], rungs: Iterable[str]) -> None:
    """The vectors of the task's passages by each rung, which alone knows where its own vectors of questions lie."""
    answering = task_of(made)
    encoder = Encoder.load(folder / TOKENIZER, made["max_length"], made["pad_id"])
    for name in rungs:
        infer = OnnxRuntime().load(folder / graph_file(name, "model")).run
        write_index(folder, name, passage_vectors(answering, infer, encoder))


def _samples(made: dict[str, Any], onnx: Path, rows: Path) -> list[Arrays]:
    """Validation rows in the shapes in which the graphs were compared with PyTorch."""
    encoder = Encoder.load(onnx / "tokenizer.json", made["max_length"], made["pad_id"], reads_types(made))
    texts = read_rows(rows, "validation", made["labels"]).texts
    return list(shapes(encoder, texts_read(task_of(made), texts)).values())


def accepted(small: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The rungs that kept their quality, the top of the ladder first."""
    return {name: small["rungs"][name] for name in small["ladder"] if small["rungs"][name]["accepted"]}


def candidate_of(small: dict[str, Any]) -> tuple[str, str]:
    """The rung to ship as far as quality goes: the last that kept it; and why. Speed is judged at release."""
    kept = accepted(small)
    refused = [f"{name} {rung['reason']}" for name, rung in small["rungs"].items() if name not in kept]
    if not kept:
        return "fp32", "; ".join(refused) or "it is the only rung"
    name = list(kept)[-1]
    return name, f"it {kept[name]['reason']}"


def build_engines(config: BuildConfig, made: dict[str, Any], folder: Path, candidate: str) -> dict[str, dict[str, Any]]:
    """Build every engine that params.yaml names; what became of each, in that order."""
    profile = Profile(config.max_batch, made["max_length"])
    found: dict[str, dict[str, Any]] = {}
    for name in config.engines:
        # TensorRT quantizes by Q/DQ nodes, not by ONNX Runtime's integer operators, so it starts from fp32.
        rung = candidate if name == "onnxruntime" else "fp32"
        found[name] = {"rung": rung, **_build_engine(ENGINES[name], folder, rung, profile)}
    return found


def _build_engine(engine: Engine, folder: Path, rung: str, profile: Profile) -> dict[str, Any]:
    reason = engine.available()
    if reason:
        return {"status": "not available", "reason": reason}
    graph = folder / graph_file(rung, "model")
    try:
        found = build_and_try(engine, graph, profile, read_samples(folder))
    except EngineError as error:
        if engine.name == "onnxruntime":
            raise
        return {"status": "failed", "reason": first_line(error)}
    return {name: found[name] for name in NOTED if name in found}


def _details(task_name: str, made: dict[str, Any], small: dict[str, Any]) -> dict[str, Any]:
    kept = ("language", "max_length", "pad_id", "opset", "architecture", "parameters", "parity")
    rungs, task = ("fp32", *accepted(small)), task_of(made)
    name = task.metrics[0].name
    return {
        "task": task_name,
        **task.manifest(),
        **{key: made[key] for key in kept},
        **({"token_types": True} if reads_types(made) else {}),
        **({"logit_temperature": made["logit_temperature"]} if "logit_temperature" in made else {}),
        "distillation": made.get("distillation", ""),
        "ladder": list(rungs),
        "rungs": {rung: {"model": graph_file(rung, "model")} for rung in rungs},
        "quantization": {
            "fp32": {name: small[f"fp32_{name}"], "megabytes": small["fp32_megabytes"]},
            **{rung: small["rungs"][rung] for rung in small["ladder"]},
        },
    }


def _metrics(folder: Path, details: dict[str, Any]) -> Metrics:
    statuses = [engine["status"] for engine in details["engines"].values()]
    return {
        "rungs": len(details["rungs"]),
        "refused": len(details["quantization"]) - len(details["rungs"]),
        "megabytes": {name: megabytes(folder, paths) for name, paths in sorted(details["rungs"].items())},
        "engines_asked_for": len(statuses),
        "engines_built": sum(status.startswith("built") for status in statuses),
        "engines_run": statuses.count(BUILT_AND_RUN),
    }


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
