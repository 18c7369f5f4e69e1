"""int8 for every head: a bundle's rungs below fp32, by the loss of the task's first metric and by their speed.

python -m benchmarks.ladder_heads PROJECT… [--rounds 200]

PROJECT: a project after a finished run, such as those of `lianzi example NAME && lianzi run`. Every rung answers the
test rows, on one thread, tokenizer included, in turn; what release.min_speedup asks for decides what ships.
benchmarks/results/ladder_heads.json: {"heads": {"PROJECT/TASK": {"kind", "head", "metric", "rounds", "rungs": {rung:
numbers}, "shipped", "refused"}}, "machine", "versions"}; `loss` and `times_faster_…` are to fp32, paired by round.
Heads of projects that are not given stay; machine and versions are those of the last call. The exit code is 1 where a
rung that is slower than the one above it would ship.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.report import RESULTS
from components.artifacts import write_json
from components.deployment.rows import read_rows
from components.deployment.speed import Target, judge, timed_rung
from components.deployment.timing import Case, time_cases
from components.evaluation.rungs import bundle_rung
from components.machine import machine, versions
from components.modeling.kinds import GENERATES
from components.params import load_params
from components.runtime.manifest import megabytes, whole_bundle
from components.tasks.kinds import task_of
from components.tasks.metrics import score

ROOT = Path(__file__).parent.parent
FP32 = "fp32"
BATCHES = (1, 8)
SLOWER = 10
"""A text takes about as many times as long as a label: so many fewer rounds, and test rows."""
PACKAGES = ("onnxruntime", "tokenizers", "numpy")


def main(words: Sequence[str] | None = None) -> int:
    """Measure every task of the projects, print the table, write it into benchmarks/results/ladder_heads.json."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("projects", nargs="+", type=Path, metavar="PROJECT")
    parser.add_argument("--rounds", type=int, default=200, help="times each rung is timed (default: 200)")
    chosen = parser.parse_args(words)
    torch.set_num_threads(1)
    release = load_params(ROOT / "params.yaml").release
    target = Target(release.target_batch, release.min_speedup, chosen.rounds, release.confidence)
    heads: dict[str, Any] = {}
    for project in chosen.projects:
        for bundle in sorted((project / "artifacts").glob("*/bundle")):
            name = f"{project.absolute().name}/{bundle.parent.name}"
            heads[name] = head_ladder(bundle, project / "artifacts" / "tasks" / bundle.parent.name, target)
            print(f"{name}: ships {heads[name]['shipped']}", flush=True)
    show(heads)
    record = RESULTS / "ladder_heads.json"
    others = heads_but_of(record, [project.absolute().name for project in chosen.projects])
    content = {"heads": {**others, **heads}, "machine": machine(), "versions": versions(PACKAGES)}
    write_json(record, content)
    return 0 if all(ships_no_slower(found) for found in heads.values()) else 1


def heads_but_of(record: Path, projects: Collection[str]) -> dict[str, Any]:
    """The heads of earlier calls, without those of these projects."""
    if not record.is_file():
        return {}
    heads = json.loads(record.read_text(encoding="utf-8"))["heads"]
    return {name: found for name, found in heads.items() if name.partition("/")[0] not in projects}


def head_ladder(bundle: Path, rows: Path, target: Target) -> dict[str, Any]:
    """Rung -> its numbers, from fp32 down, and the rung that the gate on speed ships."""
    made = whole_bundle(bundle)
    task, test = task_of(made), read_rows(rows, "test", made["labels"])
    share = SLOWER if task.head in GENERATES else 1
    texts, targets = test.texts[: max(1, len(test.texts) // share)], test.targets[: max(1, len(test.texts) // share)]
    cases = [Case(batch, "rows", tuple(texts)) for batch in sorted({*BATCHES, target.batch})]
    rungs = {name: timed_rung(bundle, name).predict for name in made["ladder"]}
    rounds = max(5, target.rounds // share)
    seconds = time_cases(rungs, cases, rounds)
    metric = task.metrics[0]
    scores = {name: score(metric, targets, bundle_rung(task, bundle, name)(texts)) for name in rungs}
    numbers = {
        name: {
            "megabytes": megabytes(bundle, made["rungs"][name]),
            metric.name: round(scores[name], 4),
            "loss": round(-float(metric.improvement(scores[FP32], scores[name])), 4),
            **{
                f"times_faster_batch_{case.batch}": round(
                    float(np.median(seconds[FP32][case.name] / seconds[name][case.name])), 2
                )
                for case in cases
            },
        }
        for name in rungs
    }
    verdicts = judge(seconds, target)
    return {
        "kind": task.kind,
        "head": task.head,
        "metric": metric.name,
        "test_rows": len(texts),
        "rounds": rounds,
        "rungs": numbers,
        "shipped": [name for name, verdict in verdicts.items() if verdict["accepted"]][-1],
        "refused": {name: verdict["reason"] for name, verdict in verdicts.items() if not verdict["accepted"]},
    }


def ships_no_slower(found: Mapping[str, Any]) -> bool:
    """Whether what ships is at least as fast as fp32 at the batch that is decided by."""
    return bool(found["shipped"] == FP32 or found["rungs"][found["shipped"]]["times_faster_batch_1"] >= 1)


def show(heads: Mapping[str, Mapping[str, Any]]) -> None:
    """A row a rung below fp32."""
    shown = Table(title="rungs beside fp32", title_justify="left", box=None, pad_edge=False)
    for heading in ("task", "kind", "head", "metric", "rung"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("fp32", "rung", "loss", "× faster b1", "× faster b8", "× smaller"):
        shown.add_column(heading, justify="right", no_wrap=True)
    shown.add_column("ships")
    for name, found in heads.items():
        rungs, metric = found["rungs"], found["metric"]
        for rung, numbers in rungs.items():
            if rung == FP32:
                continue
            smaller = rungs[FP32]["megabytes"] / numbers["megabytes"]
            times = (numbers["times_faster_batch_1"], numbers["times_faster_batch_8"], smaller)
            shown.add_row(
                *(name, found["kind"], found["head"], metric, rung),
                *(f"{number:.3f}" for number in (rungs[FP32][metric], numbers[metric], numbers["loss"])),
                *(f"{number:.2f}" for number in times),
                "yes" if rung == found["shipped"] else "too slow" if rung in found["refused"] else "",
            )
    Console(highlight=False, width=150).print(shown)


if __name__ == "__main__":
    sys.exit(main())
