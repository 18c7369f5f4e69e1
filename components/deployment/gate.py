"""The gate before a bundle: is what would be shipped the checkpoint's model? The part at fault is named.

What is compared is what a server uses, the bundle's files, with what training left, the checkpoint's own weights,
tokenizer and labels, on rows of the task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from components.artifacts import MANIFEST, read_manifest
from components.deployment.layer_parity import first_mismatch, largest_layer_error
from components.deployment.parity import Parity, TaskParity, answers, compare, compare_task, shapes
from components.deployment.rows import Rows, read_rows
from components.deployment.temperature import divide_logits
from components.deployment.weights import differences, stored_weights
from components.errors import ArtifactError, EngineError, VerificationError, first_line
from components.evaluation.metrics import Bootstrap, confusion_matrix
from components.inference.onnx_runtime import OnnxRuntime
from components.inference.sessions import Arrays
from components.modeling.loading import load_config
from components.runtime.encoding import IDS, Encoder, reads_types
from components.runtime.index import read_index
from components.runtime.manifest import whole_bundle
from components.runtime.prediction import passage_vectors
from components.tasks.kinds import task_of
from components.tasks.task import Task, texts_read

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from components.deployment.config import GateConfig

FLOAT = "fp32"
"""The rung that differs from PyTorch by the order of float32 sums alone."""

FLOAT_NOISE = 1e-4
"""Share of a layer's output by which such sums never differ."""

INDEX_NOISE = 1e-3
"""Of the cosine of a vector and the same one made again: int8 products round otherwise on another CPU."""

SENTENCES = (
    "Call me Ishmael. Some years ago - never mind how long precisely - having 3,000 dollars in my purse…",
    "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。",
    "It's 20°C in 北京 (Beijing) — naïve café, ＡＢＣ，ａｂｃ!\t\n  😀",
    "",
)
"""English, Chinese and what tokenizers treat each in their own way: beside the rows, which may be in one language."""

HINT = "nothing was shipped; run `dvc repro`, and if it stays so, report it: the exporter or quantizer is at fault"


@dataclass(frozen=True)
class ParityReport:
    """What the gate found of a bundle that it let pass: rung -> differences from PyTorch in several shapes, and on
    labelled rows; `noise` is the largest difference of a layer, as a share of its size, and that layer.

    `refused`: the rungs below the float graph that may not ship; the others may.
    """

    rows: int
    shapes: dict[str, Parity]
    tasks: dict[str, TaskParity]
    noise: dict[str, tuple[float, str]]
    refused: dict[str, VerificationError] = field(default_factory=dict)

    def metrics(self) -> dict[str, Any]:
        """As numbers for a metrics file: of each rung that passed."""
        return {
            name: {
                **self.shapes[name].metrics(),
                **self.tasks[name].metrics(),
                "layer_noise": float(f"{self.noise[name][0]:.2g}"),
            }
            for name in self.shapes
            if name not in self.refused
        }


@dataclass(frozen=True)
class Original:
    """What a bundle has to be: the checkpoint, its answers to rows, the shapes they are tried in; the float graph
    says where the layers are in the others."""

    model: PreTrainedModel
    encoder: Encoder
    rows: Rows
    batches: dict[str, Arrays]
    answers: np.ndarray
    bootstrap: Bootstrap
    float_graph: onnx.ModelProto | None

    @property
    def mixed(self) -> Arrays:
        """The batch that layers are compared on: the most rows, of all lengths."""
        return max(self.batches.values(), key=lambda feeds: feeds[IDS].size)


def verify_against(bundle: Path, checkpoint: Path, rows: Path, limits: GateConfig) -> ParityReport:
    """Compare a bundle with the checkpoint it was made from, on validation rows.

    Raises VerificationError for what all rungs share and for the float graph, which every ladder must have. A fault of
    another rung keeps that one alone from being shipped.
    """
    made = check_files(bundle)
    check_labels(made["labels"], checkpoint, rows)
    task = check_task(made, checkpoint)
    labelled = read_rows(rows, "validation", made["labels"])
    labelled = Rows(labelled.texts[: limits.rows], labelled.targets[: limits.rows])
    check_tokenizer(bundle / "tokenizer.json", checkpoint, made["max_length"], labelled.every_text)
    check_sizes(made, checkpoint)
    float_graph = _graph(FLOAT, bundle / made["rungs"][FLOAT]["model"]) if FLOAT in made["rungs"] else None
    original = _original(made, task, checkpoint, labelled, limits, float_graph)
    if task.output.kind == "categorical":
        check_meaning(made["labels"], *task.pairs(labelled.targets, original.answers))
    report = ParityReport(len(labelled.texts), {}, {}, {})
    for name in made["ladder"]:
        try:
            _verify_rung(name, bundle / made["rungs"][name]["model"], original, limits, report)
            if task.output.embeds:
                check_index(name, bundle, made, task, original.encoder)
        except VerificationError as refusal:
            if name == FLOAT:
                raise
            report.refused[name] = refusal
    return report


def check_files(bundle: Path) -> dict[str, Any]:
    """The manifest of a bundle whose files are those it lists. Raises VerificationError."""
    try:
        return whole_bundle(bundle)
    except ArtifactError as error:
        raise _refused("files", first_line(error)) from None


def check_labels(labels: Sequence[str], checkpoint: Path, rows: Path) -> None:
    """Names and order are the checkpoint's, and every label of the rows is among them. Raises VerificationError."""
    own = [name for _, name in sorted((load_config(checkpoint).id2label or {}).items())]
    if len(own) != len(labels):
        raise _refused("labels", f"{len(labels)} names, and the checkpoint has {len(own)}")
    for number, (name, expected) in enumerate(zip(labels, own, strict=True)):
        if name != expected:
            raise _refused("labels", f"number {number} is called {name!r}, in the checkpoint {expected!r}")
    strange = set(read_manifest(rows, "task")["labels"]).symmetric_difference(labels)
    if strange:
        raise _refused("labels", f"{min(strange)!r} is only among the rows' labels or only among the model's")


def check_task(made: dict[str, Any], checkpoint: Path) -> Task:
    """The bundle decodes outputs as the checkpoint's task does: a regression on one scale. Raises VerificationError."""
    task = task_of(made)
    if (checkpoint / MANIFEST).is_file():
        own = task_of(read_manifest(checkpoint, "classifier")).manifest()
        for name, value in task.manifest().items():
            if own.get(name) != value:
                raise _refused(name, f"{value!s:.200}, and the checkpoint's is {own.get(name)!s:.200}")
    return task


def check_tokenizer(path: Path, checkpoint: Path, max_length: int, texts: Sequence[str]) -> None:
    """It gives the tokens of the checkpoint's own tokenizer. Raises VerificationError naming the first other text."""
    from transformers import PreTrainedTokenizerFast

    tried = [*SENTENCES, *texts]
    tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint, trust_remote_code=False)
    own = tokenizer(tried, truncation=True, max_length=max_length)["input_ids"]
    for text, expected, found in zip(tried, own, Encoder.load(path, max_length, 0).encode(tried), strict=True):
        if expected != found:
            place = next((n for n, pair in enumerate(zip(expected, found, strict=False)) if len(set(pair)) > 1), 0)
            shown = " ".join(text[:40].split())
            raise _refused(
                "tokenizer", f"{shown!r} gives {found[place:][:3]}…, the checkpoint's {expected[place:][:3]}…"
            )


def check_sizes(made: dict[str, Any], checkpoint: Path) -> None:
    """Padding and the longest text are those the model was trained with. Raises VerificationError."""
    config = load_config(checkpoint)
    if made["pad_id"] != int(config.pad_token_id or 0):
        raise _refused("pad id", f"{made['pad_id']}, and the checkpoint pads with {config.pad_token_id}")
    longest = config.max_position_embeddings
    if longest < 0:  # XLNet's positions are relative: it reads any length
        longest = made["max_length"]
    if (checkpoint / MANIFEST).is_file():
        longest = min(longest, read_manifest(checkpoint, "classifier").get("max_length", longest))
    if made["max_length"] > longest:
        raise _refused("max_length", f"{made['max_length']} tokens, and the checkpoint has learned {longest}")


def check_meaning(labels: Sequence[str], targets: np.ndarray, found: np.ndarray) -> None:
    """No two labels have changed places: rows of one are not answered by the other, both ways, more often than by their
    own, by four standard deviations of a toss. Raises VerificationError."""
    counts = confusion_matrix(targets, found, len(labels))
    own = np.diagonal(counts)
    for one, other in zip(*np.nonzero(np.triu(counts, 1) * np.triu(counts.T, 1)), strict=True):
        crossed, straight = counts[one, other] + counts[other, one], own[one] + own[other]
        both_ways = counts[one, other] > own[one] and counts[other, one] > own[other]
        if both_ways and crossed - straight > 4 * np.sqrt(crossed + straight):
            raise _refused(
                "labels",
                f"{labels[one]!r} and {labels[other]!r} look exchanged: {counts[one, other]} rows of the one and "
                f"{counts[other, one]} of the other are answered with its name",
            )


def _original(
    made: dict[str, Any],
    task: Task,
    checkpoint: Path,
    rows: Rows,
    limits: GateConfig,
    float_graph: onnx.ModelProto | None,
) -> Original:
    import torch

    from components.deployment.pytorch import load_model, torch_infer

    torch.set_num_threads(1)  # so that the last bits of the differences repeat on any number of cores
    model = load_model(checkpoint)
    if "logit_temperature" in made:
        divide_logits(model, made["logit_temperature"])
    encoder = Encoder.load(checkpoint / "tokenizer.json", made["max_length"], made["pad_id"], reads_types(made))
    bootstrap = Bootstrap(task, rows.targets, limits.bootstrap_samples, limits.confidence, seed=0)
    return Original(
        model,
        encoder,
        rows,
        shapes(encoder, texts_read(task, rows.texts)),
        answers(task, torch_infer(model), encoder, rows.texts),
        bootstrap,
        float_graph,
    )


def _verify_rung(name: str, path: Path, original: Original, limits: GateConfig, report: ParityReport) -> None:
    """Check a graph's weights, its layers and its answers, and note what was found. Raises VerificationError."""
    from components.deployment.pytorch import outputs_of, torch_infer

    graph = _graph(name, path)
    check_weights(name, graph, original)
    try:
        infer = OnnxRuntime().load(path).run
        report.noise[name] = check_layers(name, graph, original, FLOAT_NOISE if name == FLOAT else limits.max_noise)
        report.shapes[name] = compare(torch_infer(original.model), infer, original.batches, outputs_of(original.model))
        found = answers(original.bootstrap.task, infer, original.encoder, original.rows.texts)
    except EngineError as error:
        # Without the folder, which is another one every time.
        raise _refused(f"rung {name}", first_line(error).replace(f"{path.parents[2]}/", "")) from None
    report.tasks[name] = compare_task(original.answers, found, original.bootstrap)
    check_answers(name, report, limits)


def _graph(name: str, path: Path) -> onnx.ModelProto:
    from google.protobuf.message import DecodeError

    try:
        return onnx.load(path)
    except DecodeError:
        raise _refused(f"rung {name}", f"{path.name} is no ONNX graph") from None


def check_weights(name: str, graph: onnx.ModelProto, original: Original) -> None:
    """A graph has the weights of every layer that the checkpoint runs, up to rounding. Raises VerificationError."""
    from components.deployment.pytorch import parameters_run

    expected = parameters_run(original.model, original.mixed)
    wrong = differences(expected, stored_weights(graph.graph))
    if wrong:
        more = f"; so are {len(wrong) - 1} more of {len(expected)}" if len(wrong) > 1 else ""
        raise _refused(f"rung {name}", f"the weight {wrong[0].name} {wrong[0].reason}{more}")


def check_layers(name: str, graph: onnx.ModelProto, original: Original, limit: float) -> tuple[float, str]:
    """The largest difference of a layer from PyTorch's, and that layer. Raises VerificationError naming the first layer
    that differs by more than the limit."""
    compared = (original.model, graph, original.mixed)
    noise, layer = largest_layer_error(*compared, original.float_graph)
    if noise > limit:
        raise _refused(f"rung {name}", str(first_mismatch(*compared, limit, original.float_graph)))
    return noise, layer


def check_index(name: str, bundle: Path, made: dict[str, Any], task: Task, encoder: Encoder) -> None:
    """The vectors of the passages that a rung is shipped with are its own. Raises VerificationError."""
    try:
        index = read_index(bundle, made, name, task)
    except ArtifactError as error:
        raise _refused(f"rung {name}", first_line(error).replace(f"{bundle}/", "")) from None
    infer = OnnxRuntime().load(bundle / made["rungs"][name]["model"]).run
    found = passage_vectors(task, infer, encoder)
    if index.shape != found.shape or not (1 - (index * found).sum(axis=1) < INDEX_NOISE).all():
        raise _refused(f"rung {name}", "its index holds other vectors than it makes of the passages")


def check_answers(name: str, report: ParityReport, limits: GateConfig) -> None:
    """The float rung's logits are PyTorch's in every shape; no rung surely loses more of the first metric, nor
    changes more answers, than allowed: any of them may turn out to be what ships. Raises VerificationError."""
    parity, task = report.shapes[name], report.tasks[name]
    if name == FLOAT and parity.max_difference > limits.max_difference:
        raise _refused(
            f"rung {name}", f"logits differ by {parity.max_difference:.2g} from PyTorch's on {parity.worst_shape}"
        )
    if task.gain.high < -limits.max_loss:
        raise _refused(
            f"rung {name}",
            f"loses {-task.gain.value:.4f} {task.metric.title} to PyTorch "
            f"({-task.gain.high:.4f} to {-task.gain.low:.4f}), gate.max_loss allows {limits.max_loss:g}",
        )
    if task.agreement < limits.min_agreement:
        raise _refused(
            f"rung {name}",
            f"answers as PyTorch on {task.agreement:.1%} of {report.rows} rows, "
            f"gate.min_agreement asks for {limits.min_agreement:.1%}",
        )


def _refused(part: str, reason: str) -> VerificationError:
    return VerificationError(part, reason, HINT)
