"""What is worth having, by task and share of its labels: counting words, no pretraining, or the model that ships.

python -m benchmarks.labels --seeds 17 18 19 --shares 1.0 0.05 --tasks topic form     needs artifacts/ of a finished run

Each seed draws its own share of the labels and trains by the stages' own code and params.yaml: fine-tuning with and
without pretraining, distillation, export, quantization; all start from the one pretrained model. Counting words is
tuned on the same rows. Shipped is the last rung that keeps its quality. Every piece that is finished is kept under
.cache/labels, so that an interrupted measurement goes on; --artifacts: of another checkout.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.report import RESULTS, Figure
from components.artifacts import digest, read_json, read_manifest, write_json
from components.deployment.export import export
from components.deployment.parity import answers
from components.deployment.quantize import quantize
from components.deployment.rows import Rows, read_learned, read_rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.tf_idf import TfIdf
from components.evaluation.metrics import Bootstrap
from components.evaluation.rungs import torch_rung
from components.inference.onnx_runtime import OnnxRuntime
from components.machine import machine, versions
from components.params import Params, load_params
from components.run import RecordedRun
from components.runtime.encoding import Encoder
from components.tasks.classification import Classification
from components.tasks.kinds import task_of
from components.tasks.rows import LabelShare, read_task
from components.training.distill import distill
from components.training.finetune import finetune
from components.training.from_scratch import train_from_scratch
from components.training.store import CheckpointStore

ROOT = Path(__file__).parent.parent
CACHE = ROOT / ".cache" / "labels"
SYSTEMS = {
    "counting_words": "counting words",
    "without_pretraining": "without pretraining",
    "teacher": "teacher",
    "shipped": "shipped",
}
AGAINST = ("counting_words", "without_pretraining", "teacher")
NOTE = "Test macro-F1, mean ± sd over seeds"
PACKAGES = ("torch", "transformers", "onnxruntime", "scikit-learn")


@dataclass(frozen=True)
class Piece:
    """One task, share of its labels and seed. `artifacts`: of the run whose pretrained model and rows are taken."""

    params: Params
    artifacts: Path
    task: str
    fraction: float
    seed: int

    @property
    def rows(self) -> Path:
        return self.artifacts / "tasks" / self.task

    @property
    def labels(self) -> list[str]:
        found: list[str] = read_manifest(self.rows, "task")["labels"]
        return found

    @property
    def folder(self) -> Path:
        """Named by all that its answers come from, but the code: remove .cache/labels after changing that."""
        sections = ("trainer", "finetune", "distill", "export", "quantize")
        told = {
            "params": {name: self.params.section(name).model_dump() for name in sections},
            "task": self.params.tasks[self.task].model_dump(),
            "from": [digest(self.rows), digest(self.artifacts / "pretrained")],
        }
        key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]
        return CACHE / f"{self.task}-{self.fraction:g}-{self.seed}-{key}"

    def answers(self) -> dict[str, np.ndarray]:
        """System -> the label it gives each test row; measured now unless it was."""
        kept = self.folder / "answers.json"
        if not kept.is_file():
            found = {name: answer.tolist() for name, answer in self._measured().items()}
            write_json(kept, found)
            for path in self.folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
        return {name: np.array(found, dtype=np.int64) for name, found in read_json(kept).items()}

    def _measured(self) -> dict[str, np.ndarray]:
        share, task = LabelShare(self.fraction, self.seed), self.params.tasks[self.task]
        texts = read_rows(self.rows, "test", self.labels).texts
        learned = read_learned(self.rows, self.labels, share)
        validation = read_rows(self.rows, "validation", self.labels)
        print(f"{self.task}, {self.fraction:.0%} of the labels, seed {self.seed}", flush=True)
        answering = read_task(self.rows)
        baseline = TfIdf.tuned(TuningData(answering, learned, validation, task.language))
        models = self._trained(share)
        return {
            "counting_words": baseline.predict(texts),
            "without_pretraining": torch_rung(answering, models["scratch"], task.max_length)(texts),
            "teacher": torch_rung(answering, models["teacher"], task.max_length)(texts),
            "shipped": shipped(models["onnx"], models["quantized"])(texts),
        }

    def _trained(self, share: LabelShare) -> dict[str, Path]:
        """The folders of the stages, each made unless it is there."""
        params, task, name, run = self.params, self.params.tasks[self.task], self.task, RecordedRun()
        made = {part: self.folder / part for part in ("teacher", "scratch", "student", "onnx", "quantized")}
        for stage, part in ((finetune, "teacher"), (train_from_scratch, "scratch")):
            if made[part].is_dir():
                continue
            changed = {"seeds": [], "label_fraction": share.fraction, "without_pretraining": True}
            config, store = params.finetune.model_copy(update=changed), CheckpointStore(self.folder / f"store-{part}")
            paths = self.rows, self.artifacts / "pretrained", made[part]
            stage(config, task, name, params.trainer, share.seed, *paths, store, run)
        if not made["student"].is_dir():
            store, seed = CheckpointStore(self.folder / "distillation"), share.seed
            paths = self.rows, made["teacher"], made["student"]
            distill(params.distill, task, name, params.trainer, seed, *paths, store, run, share)
        if not made["onnx"].is_dir():
            export(params.export, task, name, self.rows, made["student"], made["onnx"], run)
        if not made["quantized"].is_dir():
            quantize(params.quantize, task, name, self.rows, made["onnx"], made["quantized"], run, share)
        return made


def shipped(onnx: Path, quantized: Path) -> Callable[[Sequence[str]], np.ndarray]:
    """The last rung that keeps its quality, as a function from texts to the numbers of their labels."""
    made, ladder = read_manifest(onnx, "onnx"), read_manifest(quantized, "quantized")
    kept = [ladder["rungs"][name]["file"] for name in ladder["ladder"] if ladder["rungs"][name]["accepted"]]
    graph = quantized / kept[-1] if kept else onnx / "model.onnx"
    encoder = Encoder.load(onnx / "tokenizer.json", made["max_length"], made["pad_id"])
    return partial(answers, task_of(made), OnnxRuntime().load(graph).run, encoder)


def main(words: Sequence[str] | None = None) -> int:
    """Measure what is missing, print the table after every piece, and write the results of all tasks."""
    params = load_params(ROOT / "params.yaml")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--shares", type=float, nargs="+", required=True)
    parser.add_argument("--tasks", nargs="+", choices=list(params.tasks), default=list(params.tasks))
    parser.add_argument("--artifacts", type=Path, default=ROOT / "artifacts")
    given = parser.parse_args(words)
    if len({*given.seeds}) < 2:
        parser.error("a spread needs two seeds or more")
    found = {}
    for fraction in given.shares:
        for task in given.tasks:
            pieces = [Piece(params, given.artifacts, task, fraction, seed) for seed in given.seeds]
            answered = {piece.seed: piece.answers() for piece in pieces}
            test, learned = read_rows(pieces[0].rows, "test", pieces[0].labels), _learned(pieces[0])
            row = {"task": task, "share": fraction, "labelled_rows": learned}
            found[f"{task}, {fraction:.0%} of the labels"] = row | compared(test, answered, params)
            show(found)
    if {*given.tasks} == {*params.tasks}:
        write(found)
    return 0


def compared(test: Rows, answered: Mapping[int, Mapping[str, np.ndarray]], params: Params) -> dict[str, Any]:
    """Mean and spread of every system, and what the shipped one has over each other, with its interval.

    The interval: of the mean difference over the seeds, by resampling the test rows, the same for both.
    """
    config = params.evaluate
    given = [answer for every in answered.values() for answer in every.values()]
    classes = 1 + max(int(answer.max()) for answer in (test.targets, *given))
    task = Classification(tuple(map(str, range(classes))))
    bootstrap = Bootstrap(task, test.targets, config.bootstrap_samples, config.confidence, params.seed)
    found: dict[str, Any] = {"seeds": list(answered), "test_rows": len(test.texts), "systems": {}, "shipped_over": {}}
    values: dict[str, dict[str, np.ndarray]] = {}
    for system in SYSTEMS:
        values[system] = {
            metric.name: np.stack([bootstrap.values(metric, every[system]) for every in answered.values()])
            for metric in task.metrics
        }
        found["systems"][system] = {name: _spread(every[:, 0]) for name, every in values[system].items()}
    for system in AGAINST:
        found["shipped_over"][system] = {
            name: _interval((values["shipped"][name] - values[system][name]).mean(axis=0), bootstrap.tails)
            for name in values[system]
        }
    return found


def _spread(scores: np.ndarray) -> dict[str, Any]:
    every = [round(float(score), 6) for score in scores]
    return {"mean": round(mean(every), 6), "sd": round(stdev(every), 6), "every": every}


def _interval(values: np.ndarray, tails: Sequence[float]) -> dict[str, float]:
    """`values`: of the rows themselves, then of every resample."""
    low, high = np.percentile(values[1:], tails)
    return {name: round(float(end), 6) for name, end in (("value", values[0]), ("low", low), ("high", high))}


def _learned(piece: Piece) -> int:
    return len(read_learned(piece.rows, piece.labels, LabelShare(piece.fraction, piece.seed)).texts)


def show(found: Mapping[str, Any]) -> None:
    """Print the table."""
    shown = Table(title=NOTE, title_justify="left", box=None, pad_edge=False)
    shown.add_column("task")
    for heading in (*SYSTEMS.values(), "over counting words", "over no pretraining"):
        shown.add_column(heading, justify="right")
    for label, row in found.items():
        scores = [row["systems"][name]["macro_f1"] for name in SYSTEMS]
        gains = [row["shipped_over"][name]["macro_f1"] for name in AGAINST[:2]]
        shown.add_row(
            label,
            *(f"{score['mean']:.3f} ± {score['sd']:.3f}" for score in scores),
            *(f"{gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})" for gain in gains),
        )
    Console(highlight=False, width=160).print(shown)


def write(found: Mapping[str, Any]) -> None:
    """Write benchmarks/results/labels.json; its figures are errors, which are better small."""
    figures = {}
    for label, row in found.items():
        ours, peer = (row["systems"][name]["macro_f1"]["mean"] for name in ("shipped", "counting_words"))
        figures[label] = Figure(1 - ours, 1 - peer, "1 - macro-F1").row()
    content = {"note": NOTE, "figures": figures, "labels": found}
    write_json(RESULTS / "labels.json", content | {"machine": machine(), "versions": versions(PACKAGES)})


if __name__ == "__main__":
    sys.exit(main())
