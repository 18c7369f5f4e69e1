"""A Triton model repository of a bundle: texts in, answers out, with the tensors of `lianzi serve`.

TASK is an ensemble of TASK_tokenizer and TASK_answer (Python backend: tokenizers and numpy, nothing of Lianzi) around
TASK_classifier, the shipped graph on the ONNX Runtime backend. TASK_classifier/configs/tensorrt.pbtxt is that model as
a TensorRT plan: `tritonserver --model-config-name=tensorrt` takes it once `1/model.plan` is there. The repository is
written where it is wanted instead of into the bundle, which would then hold the weights twice.

Configurations: https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto
"""

from __future__ import annotations

import json
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.artifacts import digest, of_kind, write_json, write_manifest
from components.deployment import triton_models
from components.errors import ArtifactError, EngineError, ParameterError
from components.inference.onnx_runtime import OnnxRuntime
from components.runtime.answers import AnswerForm, answer_form
from components.runtime.encoding import IDS, MASK, TYPES, reads_types
from components.runtime.manifest import CLASSIFICATION, TOKENIZER, bundle_of
from components.staging import staged
from components.tasks.kinds import task_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from components.tasks.task import Task

DATATYPES = {"int64": "TYPE_INT64", "float32": "TYPE_FP32"}
ANSWERS = {"BYTES": "TYPE_STRING", "FP32": "TYPE_FP32"}
TENSORRT = "tensorrt"
VERSION = "1"
KIND = "triton_model"
"""Of the manifest in each model's folder, which Triton passes over: by it, such a folder is known and replaced."""


@dataclass(frozen=True)
class TritonSettings:
    """How Triton is to run the models; none of it changes what is computed, but for int8's scales by batch."""

    delay: int = 500
    """Microseconds that a request waits for others to fill a batch."""

    max_queue: int = 256
    """Requests that may wait; one more is refused."""

    instances: int = 1
    """Copies of each model side by side."""

    pad_to: int = 8
    """Rows are padded to a multiple of so many tokens: only requests of one width share a batch. 1: as in `predict`."""


def write_repository(bundle: Path, repository: Path, settings: TritonSettings, plan: bool = False) -> list[Path]:
    """Write a bundle's four models into a repository, which may hold others; `plan`: with a TensorRT plan, built here.

    All four or none. Returns the models' folders. Raises ArtifactError for a bundle of no task, or where a model that
    was not written here has the name; EngineError where no plan can be built.
    """
    manifest = bundle_of(bundle, CLASSIFICATION)
    answering = task_of(manifest)
    form = answer_form(answering)
    if not _python_model(form.name).is_file():
        raise ArtifactError(f"{bundle}: answers with {form.name}, which Triton's models do not", "lianzi serve does")
    if repository.resolve().is_relative_to(bundle.resolve()):
        raise ParameterError(f"{repository}: inside the bundle", "name another folder for the repository")
    task = manifest["task"]
    names = {part: f"{task}_{part}" for part in ("tokenizer", "classifier", "answer")} | {"ensemble": task}
    with ExitStack() as stack:
        made = {part: stack.enter_context(staged(repository / name, of_kind(KIND))) for part, name in names.items()}
        engine = _plan(bundle, manifest) if plan else None
        _write(made["tokenizer"], _tokenizer_config(task, manifest, settings), "tokenizer")
        shutil.copyfile(bundle / TOKENIZER, made["tokenizer"] / VERSION / TOKENIZER)
        _write_classifier(made["classifier"], bundle, manifest, settings)
        if engine:
            shutil.copyfile(engine, made["classifier"] / VERSION / "model.plan")
        _write(made["answer"], _answer_config(task, answering, form, settings), form.name)
        write_json(made["answer"] / VERSION / "task.json", answering.manifest())
        _write(made["ensemble"], _ensemble_config(task, answering, form, _encoded(manifest), digest(bundle)))
        # Triton wants a folder for the version, stores of objects keep no empty ones.
        (made["ensemble"] / VERSION / ".keep").touch()
        for folder in made.values():
            write_manifest(folder, KIND, {"bundle": bundle})
    return [repository / name for name in names.values()]


def _write(folder: Path, config: str, model: str = "") -> None:
    (folder / VERSION).mkdir()
    (folder / "config.pbtxt").write_text(config, encoding="utf-8")
    if model:
        shutil.copyfile(_python_model(model), folder / VERSION / "model.py")


def _python_model(name: str) -> Path:
    return Path(triton_models.__path__[0], f"{name}.py")


def _write_classifier(folder: Path, bundle: Path, manifest: dict[str, Any], settings: TritonSettings) -> None:
    from components.inference.profiles import Profile, graph_inputs
    from components.runtime.manifest import shipped_rung

    graph = bundle / manifest["rungs"][shipped_rung(bundle, manifest)]["model"]
    (folder / VERSION).mkdir()
    shutil.copyfile(graph, folder / VERSION / "model.onnx")
    name, tensors = f"{manifest['task']}_classifier", _graph_tensors(graph, manifest)
    profiles = len(Profile(manifest["max_batch"], manifest["max_length"]).buckets(graph_inputs(graph)))
    onnx, tensorrt = _classifier_configs(name, tensors, manifest["max_batch"], profiles, settings)
    (folder / "config.pbtxt").write_text(onnx, encoding="utf-8")
    (folder / "configs").mkdir()
    (folder / "configs" / f"{TENSORRT}.pbtxt").write_text(tensorrt, encoding="utf-8")


def _plan(bundle: Path, manifest: dict[str, Any]) -> Path:
    """The TensorRT plan for this machine's GPU, from the engine store or built. Raises EngineError."""
    from components.inference.engine_store import engine_file
    from components.inference.engines import ENGINES, Profile

    reason = ENGINES[TENSORRT].available()
    if reason:
        raise EngineError(f"{TENSORRT}: {reason}")
    rung = manifest["engines"].get(TENSORRT, {}).get("rung", "fp32")
    profile = Profile(manifest["max_batch"], manifest["max_length"])
    return engine_file(ENGINES[TENSORRT], bundle / manifest["rungs"][rung]["model"], profile)


def _graph_tensors(graph: Path, manifest: dict[str, Any]) -> str:
    """Inputs and output as the graph has them. Raises ArtifactError where they are called otherwise, EngineError."""
    session = OnnxRuntime().load(graph)
    inputs, outputs = session.inputs, session.outputs
    if {one.name for one in inputs} != set(_encoded(manifest)) or [one.name for one in outputs] != ["logits"]:
        found = ", ".join(one.name for one in (*inputs, *outputs))
        raise ArtifactError(f"{graph}: its tensors are {found}", f"expected {', '.join(_encoded(manifest))} and logits")
    if strange := [one.dtype for one in (*inputs, *outputs) if one.dtype not in DATATYPES]:
        raise ArtifactError(f"{graph}: a tensor of type {strange[0]}", f"expected {' or '.join(DATATYPES)}")
    dims = {one.name: [-1] * (len(one.axes) - 1) for one in inputs} | {"logits": [len(manifest["labels"])]}
    typed = [(one.name, DATATYPES[one.dtype], dims[one.name]) for one in (*inputs, *outputs)]
    return "\n".join([_tensors("input", typed[: len(inputs)]), _tensors("output", typed[len(inputs) :])])


def _classifier_configs(
    name: str, tensors: str, max_batch: int, profiles: int, settings: TritonSettings
) -> tuple[str, str]:
    """As an ONNX graph on the CPU, and as a TensorRT plan with the profiles that `lianzi build` gives it."""
    shared = f"name: {_text(name)}\nmax_batch_size: {max_batch}\n{tensors}\n{_batching(max_batch, settings)}\n"
    # One thread: sums are then taken in one order, and answers are those of `lianzi predict`.
    threads = "".join(_parameter(key, 1) for key in ("intra_op_thread_count", "inter_op_thread_count"))
    onnx = f'{shared}backend: "onnxruntime"\n{_instances(settings.instances)}\n{threads}'
    plan = f'{shared}backend: "tensorrt"\ndefault_model_filename: "model.plan"\n'
    return onnx, f"{plan}{_instances(settings.instances, profiles)}\n"


def _tokenizer_config(task: str, manifest: dict[str, Any], settings: TritonSettings) -> str:
    values = {"max_length": manifest["max_length"], "pad_id": manifest["pad_id"], "pad_to": settings.pad_to}
    texts = [(name, "TYPE_STRING", [-1]) for name in task_of(manifest).texts]
    return "\n".join(
        [
            f'name: {_text(f"{task}_tokenizer")}\nbackend: "python"',
            _tensors("input", texts),
            _tensors("output", [(name, "TYPE_INT64", [-1, -1]) for name in _encoded(manifest)]),
            _instances(settings.instances),
            "".join(_parameter(name, value) for name, value in values.items()),
        ]
    )


def _answer_config(task: str, answering: Task, form: AnswerForm, settings: TritonSettings) -> str:
    given = answering.output.name
    return "\n".join(
        [
            f'name: {_text(f"{task}_answer")}\nbackend: "python"',
            _tensors("input", _of_form(answering, form, [given])),
            _tensors("output", _of_form(answering, form, _made(answering, form))),
            _instances(settings.instances) + "\n",
        ]
    )


def _made(answering: Task, form: AnswerForm) -> list[str]:
    """The tensors that the graph itself does not give."""
    return [name for name in form.tensors if name != answering.output.name]


def _of_form(answering: Task, form: AnswerForm, names: Iterable[str]) -> list[tuple[str, str, list[int]]]:
    tensors = ((name, form.tensors[name]) for name in names)
    return [(name, ANSWERS[one.datatype], one.shape(len(answering.labels))) for name, one in tensors]


def _encoded(manifest: dict[str, Any]) -> tuple[str, ...]:
    """What the tokenizer gives the graph."""
    return (IDS, MASK, *((TYPES,) if reads_types(manifest) else ()))


def _ensemble_config(task: str, answering: Task, form: AnswerForm, inputs: Sequence[str], bundle: str) -> str:
    """Without a batch dimension of its own, so that `text` and `label` have the shape [rows], as in `lianzi serve`."""
    logits = answering.output.name
    steps = [
        _step(f"{task}_tokenizer", answering.texts, inputs),
        _step(f"{task}_classifier", inputs, [logits]),
        _step(f"{task}_answer", [logits], _made(answering, form)),
    ]
    return "\n".join(
        [
            f'name: {_text(task)}\nplatform: "ensemble"',
            _tensors("input", [(name, "TYPE_STRING", [-1]) for name in answering.texts]),
            _tensors("output", _of_form(answering, form, form.tensors)),
            "ensemble_scheduling {\n  step [\n" + ",\n".join(steps) + "\n  ]\n}",
            _parameter("bundle", bundle),
        ]
    )


def _batching(max_batch: int, settings: TritonSettings) -> str:
    preferred = sorted({max(1, max_batch // 4), max_batch})
    return (
        f"dynamic_batching {{\n  preferred_batch_size: {preferred}\n"
        f"  max_queue_delay_microseconds: {settings.delay}\n"
        f"  default_queue_policy {{ max_queue_size: {settings.max_queue} }}\n}}"
    )


def _instances(count: int, profiles: int = 0) -> str:
    """On the CPU, or with a plan's optimization profiles on a GPU: a request goes to the one that fits it best."""
    where = f"kind: KIND_GPU profile: {json.dumps([str(number) for number in range(profiles)])}"
    where = where if profiles else "kind: KIND_CPU"
    return f"instance_group [ {{ count: {count} {where} }} ]"


def _tensors(side: str, tensors: Iterable[tuple[str, str, list[int]]]) -> str:
    lines = [f"  {{ name: {_text(name)} data_type: {kind} dims: {dims} }}" for name, kind, dims in tensors]
    return f"{side} [\n" + ",\n".join(lines) + "\n]"


def _step(model: str, inputs: Iterable[str], outputs: Iterable[str]) -> str:
    """A step whose tensors keep their names in the ensemble."""
    maps = [
        f"      {side}_map {{ key: {_text(name)} value: {_text(name)} }}"
        for side, names in (("input", inputs), ("output", outputs))
        for name in names
    ]
    return f"    {{\n      model_name: {_text(model)}\n      model_version: -1\n" + "\n".join(maps) + "\n    }"


def _parameter(key: str, value: object) -> str:
    return f"parameters {{ key: {_text(key)} value: {{ string_value: {_text(str(value))} }} }}\n"


def _text(value: str) -> str:
    """A string of protobuf's text format, which reads JSON's escapes of quotes and backslashes."""
    return json.dumps(value, ensure_ascii=False)
