"""The ladder, from the fp32 teacher in eager PyTorch down to what is shipped: size, speed, agreement, quality.

python -m benchmarks.ladder [--rounds 200] [--kinds classifiers …]     in the project, after a finished run

Every rung of a model answers the same rows in turn, on one thread, tokenizer included. benchmarks/results/ladder.json:
{"models": {model: {"rungs": {rung: numbers}, "shipped", "refused", "goals"}}, "rounds", "machine", "versions"}; numbers
named times_… and …_kept are ratios to the first rung.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.report import RESULTS, beside_goals
from components.artifacts import write_json
from components.deployment.rows import Rows, read_rows
from components.deployment.speed import Target, cpu_engines, judge
from components.deployment.timing import Case, Seconds, time_cases
from components.evaluation.rungs import bundle_rung, torch_rung
from components.machine import machine, versions
from components.params import Params, load_params
from components.runtime.manifest import megabytes, whole_bundle
from components.tasks.kinds import task_of
from components.tasks.metrics import macro_f1

ROOT = Path(__file__).parent.parent
PACKAGES = ("torch", "transformers", "onnxruntime", "tokenizers", "numpy")
BATCHES = (1, 8)
GOALS = {"times_faster_batch_1": 20.0, "times_smaller": 8.0, "macro_f1_kept": 0.98}
"""Of the shipped rung of a task, against its teacher."""

Answer = Callable[[Sequence[str]], np.ndarray]


def main(words: list[str] | None = None) -> int:
    """Measure every model of the kinds asked for, print its table, write benchmarks/results/ladder.json."""
    import torch

    parser = argparse.ArgumentParser(prog="python -m benchmarks.ladder", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="times each rung is timed (default: 200)")
    parser.add_argument(
        "--training-steps", type=int, default=150, help="of each language model, which is made here (default: 150)"
    )
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    params = load_params(ROOT / "params.yaml")
    models: dict[str, Any] = {}
    for kind in options.kinds:
        for name, found in KINDS[kind](params, options).items():
            show(name, found, LANGUAGE_COLUMNS if kind == "language_models" else COLUMNS)
            models[name] = found
    content = {"models": models, "rounds": options.rounds, "machine": machine(), "versions": versions(PACKAGES)}
    write_json(RESULTS / "ladder.json", content)
    return 0


def classifiers(params: Params, options: argparse.Namespace) -> dict[str, Any]:
    """The ladder of each task of params.yaml."""
    return {task: classifier(ROOT / "artifacts", task, params, options.rounds) for task in params.tasks}


def language_models(params: Params, options: argparse.Namespace) -> dict[str, Any]:
    """A causal language model and an encoder-decoder; an answer takes some hundred times as long as a label."""
    from benchmarks.ladder_language_models import MODELS, language_model

    rounds = max(5, options.rounds // 20)
    return {name: language_model(name, params, rounds, options.training_steps) for name in MODELS}


KINDS: dict[str, Callable[[Params, argparse.Namespace], dict[str, Any]]] = {
    "classifiers": classifiers,
    "language_models": language_models,
}
"""Kind of model -> its models' ladders. A new kind is a function here and a line in this table."""


def classifier(artifacts: Path, task: str, params: Params, rounds: int) -> dict[str, Any]:
    """Rung -> its numbers, from the teacher down, and the rung that the gate on speed ships."""
    folder = artifacts / task
    bundle = folder / "bundle"
    made = whole_bundle(bundle)
    rungs = contenders(folder, made)
    rows = read_rows(artifacts / "tasks" / task, "test", made["labels"])
    seconds = time_cases(rungs, [Case(batch, "rows", tuple(rows.texts)) for batch in BATCHES], rounds)
    answers = {name: answer(rows.texts) for name, answer in rungs.items()}
    quality = {name: _quality(rows, answers["teacher"], found, len(made["labels"])) for name, found in answers.items()}
    sizes = _sizes(folder, made)
    numbers = {
        name: {"megabytes": sizes.get(name), **_times(seconds, name), **quality[name]}
        | _ratios(name, sizes, seconds, quality)
        for name in rungs
    }
    release = params.release
    target = Target(release.target_batch, release.min_speedup, rounds, release.confidence)
    verdicts = judge({name: seconds[name] for name in made["ladder"]}, target)
    shipped = [name for name in verdicts if verdicts[name]["accepted"]][-1]
    return {
        "rungs": numbers,
        "shipped": shipped,
        "refused": {name: verdict["reason"] for name, verdict in verdicts.items() if not verdict["accepted"]},
        "goals": beside_goals(numbers[shipped], GOALS),
    }


def contenders(folder: Path, made: Mapping[str, Any]) -> dict[str, Answer]:
    """Teacher and student in eager PyTorch, the bundle's rungs, the engines that run here."""
    bundle, task = folder / "bundle", task_of(made)
    return {
        "teacher": torch_rung(task, folder / "teacher", made["max_length"]),
        "student": torch_rung(task, folder / "student", made["max_length"]),
        **{name: bundle_rung(task, bundle, name) for name in made["ladder"]},
        **{name: bundle_rung(task, bundle, name) for name in cpu_engines(made)},
    }


def _sizes(folder: Path, made: Mapping[str, Any]) -> dict[str, float]:
    weights = {name: megabytes(folder / name, {"weights": "model.safetensors"}) for name in ("teacher", "student")}
    return weights | {name: megabytes(folder / "bundle", paths) for name, paths in made["rungs"].items()}


def _times(seconds: Seconds, name: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for batch in BATCHES:
        taken = seconds[name][f"batch_{batch}_rows"]
        p50, p95 = np.percentile(1e3 * taken, [50, 95])
        found |= {f"batch_{batch}_p50_ms": round(float(p50), 3), f"batch_{batch}_p95_ms": round(float(p95), 3)}
        found[f"batch_{batch}_rows_per_second"] = round(float(batch * len(taken) / taken.sum()), 1)
    return found


def _quality(rows: Rows, teacher: np.ndarray, found: np.ndarray, classes: int) -> dict[str, float]:
    return {
        "agreement": round(float((found == teacher).mean()), 4),
        "macro_f1": round(macro_f1(rows.targets, found, range(classes)), 4),
    }


def _ratios(
    name: str, sizes: Mapping[str, float], seconds: Seconds, quality: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Against the teacher: paired by round for time, so that a slow minute of the machine counts for both."""
    found = {"macro_f1_kept": round(quality[name]["macro_f1"] / quality["teacher"]["macro_f1"], 4)}
    if name in sizes:
        found["times_smaller"] = round(sizes["teacher"] / sizes[name], 2)
    for batch in BATCHES:
        case = f"batch_{batch}_rows"
        found[f"times_faster_batch_{batch}"] = round(
            float(np.median(seconds["teacher"][case] / seconds[name][case])), 2
        )
    return found


COLUMNS = {
    "MB": "megabytes",
    "× smaller": "times_smaller",
    "b1 p50": "batch_1_p50_ms",
    "b1 p95": "batch_1_p95_ms",
    "× faster": "times_faster_batch_1",
    "b8 p50": "batch_8_p50_ms",
    "b8 p95": "batch_8_p95_ms",
    "× faster ": "times_faster_batch_8",
    "rows/s b8": "batch_8_rows_per_second",
    "agree": "agreement",
    "macro-F1": "macro_f1",
    "kept": "macro_f1_kept",
}

LANGUAGE_COLUMNS = {
    "MB": "megabytes",
    "× smaller": "times_smaller",
    "b1 p50": "batch_1_p50_ms",
    "tokens/s": "batch_1_tokens_per_second",
    "× faster": "times_faster_batch_1",
    "b8 p50": "batch_8_p50_ms",
    "tokens/s ": "batch_8_tokens_per_second",
    "× faster ": "times_faster_batch_8",
    "greedy exact": "greedy_exact",
    "same top token": "agreement",
    "perplexity": "perplexity",
}


def show(model: str, found: Mapping[str, Any], columns: Mapping[str, str] = COLUMNS) -> None:
    """A row a rung; then what the gate refused, and how the goals fare."""
    shown = Table(title=f"{model} (milliseconds a call)", title_justify="left", box=None, pad_edge=False)
    shown.add_column("rung", no_wrap=True)
    for heading in columns:
        shown.add_column(heading.strip(), justify="right", no_wrap=True)
    for name, numbers in found["rungs"].items():
        shown.add_row(name, *(_cell(numbers.get(key)) for key in columns.values()))
    console = Console(highlight=False, width=140)
    console.print(shown)
    for name, reason in found.get("refused", {}).items():
        console.print(f"{name} refused: {reason}")
    goals = ", ".join(f"{name} {one['shipped']:g} (goal {one['goal']:g})" for name, one in found["goals"].items())
    console.print(f"ships {found['shipped']}" + (f": {goals}" if goals else "") + "\n")


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    sys.exit(main())
