"""What pretraining buys: each task fine-tuned from the pretrained weights and from random ones, all else equal.

python -m benchmarks.pretraining --seeds 5 --few-seeds 10 --tasks topic form      needs artifacts/ of a finished run

Each seed draws its own order, dropout, head, and its own 5 % of the training rows; both arms share all of them.
Nothing is chosen by what is measured: the last weights count, not the best. `--pretrained` takes several folders,
of several pretraining seeds, which the seeds use in turn.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.stats import t as student

from benchmarks.report import RESULTS, Figure, machine
from components.artifacts import write_json
from components.modeling.checkpoints import load_classifier, load_tokenizer, random_classifier
from components.params import Params, load_params
from components.run import RecordedRun
from components.tasks.rows import read_split
from components.training.module import LanguageModule
from components.training.order import BucketedOrder
from components.training.randomness import derived_seed, seeded_generator
from components.training.store import CheckpointStore
from components.training.task_data import Examples, TaskData, encode
from components.training.task_objective import TaskObjective
from components.training.task_training import task_batches
from components.training.trainer import Schedule, fit, prepare_libraries

ROOT = Path(__file__).parent.parent
FEW = 0.05
FEW_STEPS = 200
FEW_BATCH = 16
NOTE = "Test macro-F1 with pretraining and without, a pair of runs a seed"
ARMS = {"pretrained": load_classifier, "random": random_classifier}


@dataclass(frozen=True)
class Comparison:
    """Test macro-F1 with and without pretraining, one pair a seed."""

    pretrained: list[float]
    random: list[float]
    seconds: float

    def figure(self) -> Figure:
        """The same as errors, which are better small."""
        return Figure(1 - mean(self.pretrained), 1 - mean(self.random), "1 - macro-F1", goal=1.0)

    def row(self) -> dict[str, Any]:
        gains = [ours - theirs for ours, theirs in zip(self.pretrained, self.random, strict=True)]
        low, high = interval(gains)
        return {
            "pretrained": _rounded(mean(self.pretrained)),
            "random": _rounded(mean(self.random)),
            "gain": _rounded(mean(gains)),
            "low": _rounded(low),
            "high": _rounded(high),
            "gains": [_rounded(gain) for gain in gains],
            "seconds": round(self.seconds, 1),
        }


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, print the table after every seed and write benchmarks/results/pretraining.json."""
    params = load_params(ROOT / "params.yaml")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, required=True)
    parser.add_argument("--few-seeds", type=int, help="of the runs on 5 %% of the labels; the same if not given")
    parser.add_argument("--tasks", nargs="+", choices=list(params.tasks), default=list(params.tasks))
    parser.add_argument("--pretrained", nargs="+", type=Path, default=[ROOT / "artifacts" / "pretrained"])
    given = parser.parse_args(arguments)
    seeds = {1.0: given.seeds, FEW: given.few_seeds or given.seeds}
    if min(seeds.values()) < 2:
        parser.error("an interval needs two seeds or more")
    prepare_libraries(params.finetune.threads)
    found: dict[str, Comparison] = {}
    for number in range(max(seeds.values())):
        pretrained = given.pretrained[number % len(given.pretrained)]
        for task in given.tasks:
            for share in (share for share, wanted in seeds.items() if number < wanted):
                label = f"{task}, {share:.0%} of the labels"
                one = compare(params, ROOT / "artifacts" / "tasks" / task, task, pretrained, share, number + 1)
                found[label] = joined(found[label], one) if label in found else one
        if number:
            report(found)
    return 0


def compare(params: Params, rows: Path, task: str, pretrained: Path, share: float, seed: int) -> Comparison:
    """Both arms of one task, share of its labels and seed."""
    data = TaskData.read(rows, params.tasks[task], load_tokenizer(pretrained))
    test = encode(data.task, read_split(rows / "test.jsonl", data.task), load_tokenizer(pretrained), data.max_length)
    data = replace(data, train=subsample(data.train, share, seed), validation=test)
    began = time.process_time()
    scores = {name: [_score(params, data, pretrained, name, share, seed)] for name in ARMS}
    return Comparison(scores["pretrained"], scores["random"], (time.process_time() - began) / len(ARMS))


def subsample(examples: Examples, share: float, seed: int) -> Examples:
    """A share of each class's rows, at least two of each; all of them, in their order, for a share of 1."""
    if share == 1:
        return examples
    generator, targets, kept = seeded_generator(seed, "few labels"), examples.targets.numpy(), []
    for label in np.unique(targets):
        places = generator.permutation(np.flatnonzero(targets == label))
        kept += list(places[: max(2, round(share * len(places)))])
    places = np.sort(kept)
    return Examples([examples.ids[place] for place in places], examples.targets[torch.from_numpy(places)])


def _score(params: Params, data: TaskData, pretrained: Path, arm: str, share: float, seed: int) -> float:
    config = params.finetune
    order = BucketedOrder(data.train.lengths, config.batch_size if share == 1 else FEW_BATCH, seed)
    steps = config.epochs * order.steps_per_epoch if share == 1 else FEW_STEPS
    torch.manual_seed(derived_seed(seed, "classifier"))
    model = ARMS[arm](pretrained, data.task.labels, config.dropout)
    objective = TaskObjective(data.task, config.label_smoothing)
    module = LanguageModule(model, objective, config, params.trainer, steps, seed)
    schedule = Schedule(f"{arm} {share:.0%} seed {seed}", steps, steps * order.batch_size * data.max_length)
    batches = task_batches(data, order, config.token_masking, seed)
    with tempfile.TemporaryDirectory() as folder:
        fit(module, batches, schedule, config.precision, RecordedRun(), CheckpointStore(Path(folder)))
    return module.validation[data.metric.name]


def joined(before: Comparison, after: Comparison) -> Comparison:
    return Comparison(
        before.pretrained + after.pretrained, before.random + after.random, (before.seconds + after.seconds) / 2
    )


def interval(gains: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of two or more paired differences (Student's t)."""
    reach = float(student.ppf(0.975, len(gains) - 1)) * stdev(gains) / math.sqrt(len(gains))
    return mean(gains) - reach, mean(gains) + reach


def report(found: dict[str, Comparison]) -> None:
    """Print the table and write benchmarks/results/pretraining.json."""
    rows = {label: comparison.row() for label, comparison in found.items()}
    shown = Table(title=NOTE, title_justify="left", box=None, pad_edge=False)
    for heading in ("task", "seeds", "pretrained", "random", "gain", "95 % interval"):
        shown.add_column(heading, justify="left" if heading == "task" else "right")
    for label, row in rows.items():
        shown.add_row(
            label,
            str(len(row["gains"])),
            f"{row['pretrained']:.3f}",
            f"{row['random']:.3f}",
            f"{row['gain']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}",
        )
    Console(highlight=False).print(shown)
    content = {
        "note": NOTE,
        "figures": {label: comparison.figure().row() for label, comparison in found.items()},
        "gains": rows,
        "machine": machine(),
        "versions": {package: metadata.version(package) for package in ("torch", "transformers")},
    }
    write_json(RESULTS / "pretraining.json", content)


def _rounded(value: float) -> float:
    return round(value, 6)


if __name__ == "__main__":
    sys.exit(main())
