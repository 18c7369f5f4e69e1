"""Evaluate: every rung on the test rows, beside a baseline and beside the same model without pretraining."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from components.artifacts import read_manifest, verify
from components.deployment.rows import Rows, read_learned, read_rows
from components.errors import ArtifactError
from components.evaluation.baselines.baseline import Baseline, TuningData
from components.evaluation.baselines.table import STRONGEST, Entry, baseline_class, further, to_beat
from components.evaluation.figures import confusion_figure, rungs_figure, scatter_figure
from components.evaluation.metrics import Bootstrap, confusion_matrix, per_class
from components.evaluation.page import write_page
from components.evaluation.rungs import bundle_rung, system_of, systems, torch_rung
from components.evaluation.spread import SEEDS, spreads
from components.modeling.kinds import GENERATES
from components.runtime.manifest import megabytes, whole_bundle
from components.tasks.kinds import task_of
from components.tasks.metrics import Metric, rank_key, score
from components.tasks.rows import EVERY_ROW, LabelShare
from components.tasks.task import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from components.deployment.config import EvaluateConfig
    from components.run import Metrics, Run
    from components.tasks.config import TaskConfig

Answers = dict[str, np.ndarray]
"""Rung -> its answer to each test row."""

BASELINE = "baseline"
"""The task's own."""
GAINS = {
    "over_baseline": (BASELINE, "candidate"),
    "pretraining": ("without_pretraining", "teacher"),
    "distillation": ("teacher", "student"),
    "export": ("student", "onnx"),
    "quantization": ("onnx", "candidate"),
}
"""What each step bought in the first metric: name -> (before, after)."""

AGREEMENTS = {
    "student_teacher": ("student", "teacher"),
    "onnx_student": ("onnx", "student"),
    "candidate_student": ("candidate", "student"),
}


def evaluate(
    config: EvaluateConfig,
    task: TaskConfig,
    task_name: str,
    seed: int,
    rows: Path,
    teacher: Path,
    scratch: Path,
    student: Path,
    bundle: Path,
    confusion: Path,
    report: Path,
    run: Run,
    share: LabelShare = EVERY_ROW,
) -> Metrics:
    """Score every rung on the test rows, and write a page of it into `report`. How fast the rungs are, and so which of
    them ships, is found at release: here the bundle's `candidate` stands for the last that kept its quality.

    Everything runs on one thread, so that the numbers repeat on any number of cores.
    """
    torch.set_num_threads(1)
    made = whole_bundle(bundle)
    labels = made["labels"]
    folders = {"without_pretraining": scratch, "teacher": teacher, "student": student}
    folders = {name: folder for name, folder in folders.items() if not _check_labels(folder, labels).get("left_out")}
    validation, test = (read_rows(rows, split, labels) for split in ("validation", "test"))
    answering = task_of(made)
    metric = answering.metrics[0]
    data = TuningData(answering, read_learned(rows, labels, share), validation, task.language, bundle, made, seed)
    entries = {BASELINE: to_beat(answering), **further(config.baselines, answering)}
    baselines = _tuned(entries, data, run)
    beat = strongest(metric, baselines, validation)
    contenders = _systems(answering, baselines, folders, bundle, made)
    answers = {name: answer(test.texts) for name, answer in contenders.items()}
    answers["candidate"] = answers[system_of(made["candidate"])]
    metrics = score_all(config, seed, answering, test, answers, list(baselines), beat)
    if len(baselines) > 1:
        metrics[STRONGEST] = beat
        run.say(f"{entries[beat].phrase}: the strongest baseline on the validation rows, the one to beat")
    if seeds := _seeds(answering, folders, made["max_length"], test, answers):
        metrics["seeds"] = seeds
    metrics |= _choices(baselines)
    metrics["size_megabytes"] = _sizes(baselines, folders, bundle, made)
    _write_answers(confusion, answering, test.targets, answers["candidate"])
    order = [*baselines, *(name for name in systems(made["ladder"])[1:] if name in answers)]
    figures = _figures(answering, test, answers, {name: metrics[name] for name in order})
    counted = [f"{baseline.title}: {baseline.choice}" for baseline in baselines.values()]
    write_page(report / "index.html", task_name, made, order, metrics, figures, counted, answering)
    for name, figure in figures.items():
        run.log_figure(f"{name}.png", figure)
    run.log_files(report, "evaluate")
    values = (f"{name} {metrics[name][metric.name]:.4f}" for name in order)
    run.say(f"{metric.title} on {metrics['test_rows']} test rows: {', '.join(values)}")
    return metrics


def _tuned(entries: Mapping[str, Entry], data: TuningData, run: Run) -> dict[str, Baseline]:
    """Every baseline as it is best on the validation rows."""
    baselines = {name: baseline_class(entry).tuned(data) for name, entry in entries.items()}
    for name, entry in entries.items():
        run.say(f"{entry.phrase}: {baselines[name].choice}, the best on the validation rows")
    return baselines


def _choices(baselines: Mapping[str, Baseline]) -> Metrics:
    """What was chosen for each baseline on the validation rows: of the task's own, and of the further ones."""
    choices = {name: baseline.choice.metrics() for name, baseline in baselines.items()}
    own = {"baseline_choice": choices.pop(BASELINE)}
    return {**own, "further_choices": choices} if choices else own


def strongest(metric: Metric, baselines: Mapping[str, Baseline], validation: Rows) -> str:
    """The name of the baseline with the best first metric on the validation rows, of equal ones the first: on the test
    rows the choice would flatter it."""
    if len(baselines) == 1:
        return next(iter(baselines))
    scores = {
        name: score(metric, validation.targets, baseline.predict(validation.texts))
        for name, baseline in baselines.items()
    }
    return max(scores, key=lambda name: rank_key(metric, scores[name]))


def _systems(
    task: Task, baselines: Mapping[str, Baseline], folders: dict[str, Path], bundle: Path, made: dict[str, Any]
) -> dict[str, Callable[[Sequence[Any]], np.ndarray]]:
    """Name -> answers to texts: of the baselines, the models in PyTorch and every rung."""
    return {
        **{name: baseline.predict for name, baseline in baselines.items()},
        # Each with what its own answers to validation rows decided.
        **{
            name: torch_rung(task_of(read_manifest(folder, "classifier")), folder, made["max_length"])
            for name, folder in folders.items()
        },
        "onnx": bundle_rung(task, bundle, "fp32"),
        **{name: bundle_rung(task, bundle, name) for name in made["ladder"] if name != "fp32"},
    }


def score_all(
    config: EvaluateConfig,
    seed: int,
    task: Task,
    test: Rows,
    answers: Answers,
    baselines: Sequence[str] = (BASELINE,),
    beat: str = BASELINE,
) -> Metrics:
    """Metrics with intervals of every rung, the candidate's per class where there are classes, gains and agreements.

    `over_baseline`: what every other system has over the baseline to `beat`, in every metric, on the same rows. A
    release looks there for the rung that ships. `over_further`: what the candidate has over each of the others.
    """
    bootstrap = Bootstrap(task, test.targets, config.bootstrap_samples, config.confidence, seed)
    metrics: dict[str, Any] = {name: bootstrap.scores(found) for name, found in answers.items()}
    if counts := task.class_counts(test.targets, answers["candidate"]):
        metrics["candidate"]["per_class"] = per_class(counts)
    metrics["gain"] = {
        name: bootstrap.gain(answers[before], answers[after]).metrics()
        for name, (before, after) in {**GAINS, "over_baseline": (beat, "candidate")}.items()
        if before in answers
    }
    metrics["over_baseline"] = {
        name: bootstrap.gains(answers[beat], found) for name, found in answers.items() if name != beat
    }
    if others := [name for name in baselines if name != beat]:
        metrics["over_further"] = {name: bootstrap.gains(answers[name], answers["candidate"]) for name in others}
    metrics["agreement"] = {
        name: round(task.agreement(answers[one], answers[other]), 6) for name, (one, other) in AGREEMENTS.items()
    }
    metrics["test_rows"] = len(test.texts)
    return metrics


def _seeds(task: Task, folders: dict[str, Path], max_length: int, test: Rows, answers: Answers) -> Metrics:
    """Of each model that was fine-tuned from several seeds: what all of them score on the test rows."""
    found: Metrics = {}
    for name, folder in folders.items():
        others = {int(path.name): path for path in (folder / SEEDS).glob("*")}
        if others:
            chosen = read_manifest(folder, "classifier")["seed"]
            every = {chosen: answers[name]}
            every |= {seed: torch_rung(task, path, max_length)(test.texts) for seed, path in sorted(others.items())}
            scores = {seed: task.scores(test.targets, answer) for seed, answer in every.items()}
            found[name] = spreads(scores, chosen, task.metrics)
    return found


def _check_labels(folder: Path, labels: list[str]) -> dict[str, Any]:
    """A classifier's manifest. Raises ArtifactError where its labels are not the bundle's."""
    made = verify(folder, "classifier")
    if made["labels"] != labels:
        raise ArtifactError(
            f"{folder}: answers with {', '.join(made['labels'])}; the bundle with {', '.join(labels)}",
            "run `dvc repro`",
        )
    return made


def _sizes(
    baselines: Mapping[str, Baseline], folders: dict[str, Path], bundle: Path, made: dict[str, Any]
) -> dict[str, float]:
    weights = {name: megabytes(folder, {"weights": "model.safetensors"}) for name, folder in folders.items()}
    graphs = {system_of(rung): megabytes(bundle, paths) for rung, paths in made["rungs"].items()}
    candidate = graphs[system_of(made["candidate"])]
    counted = {name: round(baseline.megabytes(), 3) for name, baseline in baselines.items()}
    return {**counted, **weights, **graphs, "candidate": candidate}


def _write_answers(path: Path, task: Task, targets: np.ndarray, answers: np.ndarray) -> None:
    """One row a test row, or word of one: the form that `dvc plots` wants for its confusion template."""
    both = (task.values(values) for values in task.pairs(targets, answers))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["actual", "predicted"])
        writer.writerows(zip(*both, strict=True))


def _figures(task: Task, test: Rows, answers: Answers, scores: Metrics) -> dict[str, Figure]:
    metric, found = task.metrics[0], answers["candidate"]
    compared = {metric.name: rungs_figure(scores, task)}
    if task.head in GENERATES or task.output.of_candidates or task.output.over_tokens:
        return compared
    if task.output.kind == "real":
        return compared | {"scatter": scatter_figure(test.targets, found)}
    if task.output.kind == "binary":  # no label stands in another's place, each is given or not
        return compared
    counts = confusion_matrix(*task.pairs(test.targets, found), len(task.labels))
    return compared | {"confusion": confusion_figure(counts, task.labels)}
