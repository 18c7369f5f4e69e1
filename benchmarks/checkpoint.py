"""From a pretrained checkpoint to released models, with the two commands of docs/checkpoints.md and no other setting.

python -m benchmarks.checkpoint MODEL [--folder FOLDER]     MODEL: a checkpoint's folder; in the project, with its data

A scratch clone of the project gets two tasks, the sample's `topic` and a set of questions in TREC's form
(benchmarks.questions), and then `lianzi init-from MODEL` and `lianzi run`. benchmarks/results/checkpoint.json:
{"tasks": {task: {teacher, shipped, baseline, rung, …}}, "stages": {stage: seconds}, "minutes", "cpu_minutes", "goals",
"machine", "versions"}. Scores are macro-F1 and accuracy on test rows with their bootstrap intervals.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.questions import write_task
from benchmarks.report import RESULTS
from components.artifacts import write_json
from components.machine import machine, versions
from flows.settings import change_params

ROOT = Path(__file__).parent.parent
PACKAGES = ("torch", "transformers", "onnxruntime", "scikit-learn")
TASKS = {
    "topic": {"kind": "classification", "language": "en", "max_length": 64},
    "question": {"kind": "classification", "language": "en", "max_length": 64},
}
GOALS = {"minutes": 25.0, "loss": 0.01, "topic_gain": 0.04}
"""At most so many minutes of two cores, and so much macro-F1 below the teacher; above counting words on `topic`."""

OUTCOME = """
import json, sys
from components.registry import Registry
from cli.outcomes import latest, read_outcomes
champions = {task: Registry().champion(task) for task in sys.argv[1:]}
print(json.dumps({
    "stages": {name: outcome.took["seconds"] for name, outcome in latest(read_outcomes()).items()},
    "rungs": {task: found and found.tags["rung"] for task, found in champions.items()},
}))
"""
"""Run in the project: what its stages took, and the rung of each task's champion."""


def main(words: list[str] | None = None) -> int:
    """Run it, print the table, write the results; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument(
        "--folder", type=Path, help="for the scratch project, which stays there (default: a temporary one)"
    )
    options = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as temporary:
        project = lay_out((options.folder or Path(temporary)) / "project")
        began, cpu = time.monotonic(), _cpu_seconds()
        lianzi(project, "init-from", str(options.model.absolute()))
        lianzi(project, "run")
        taken = {"minutes": (time.monotonic() - began) / 60, "cpu_minutes": (_cpu_seconds() - cpu) / 60}
        outcome = json.loads(_call(project, [sys.executable, "-c", OUTCOME, *TASKS], capture=True).splitlines()[-1])
        found = {
            task: scores(json.loads((project / f"metrics/evaluate/{task}.json").read_text()), outcome["rungs"][task])
            for task in TASKS
        }
    taken = {name: round(value, 2) for name, value in taken.items()}
    missed = missed_goals(found, taken["minutes"])
    content = {"tasks": found, "stages": outcome["stages"], **taken, "goals": GOALS, "missed": missed}
    write_json(RESULTS / "checkpoint.json", content | {"machine": machine(), "versions": versions(PACKAGES)})
    show(found, taken, missed)
    return int(bool(missed))


def lay_out(project: Path) -> Path:
    """A clone of what is committed, with the two tasks and the sample's corpus."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(project)], check=True)
    data = project / "data"
    shutil.copytree(ROOT / "data" / "corpus", data / "corpus")
    shutil.copytree(ROOT / "data" / "tasks" / "topic", data / "tasks" / "topic")
    write_task(data / "tasks" / "question", data / "corpus" / "wiki_leads_en.jsonl.gz")
    change_params(project / "params.yaml", (f"tasks={json.dumps(TASKS)}",))
    _call(project, [sys.executable, "-m", "dvc", "add", "--quiet", "data"])
    return project


def lianzi(project: Path, *words: str) -> None:
    """A command of the project's own code."""
    _call(project, [sys.executable, "-m", "cli.main", *words])


def _call(project: Path, command: list[str], capture: bool = False) -> str:
    kept = {name: value for name, value in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "LIANZI_CACHE")}
    environment = kept | {"PYTHONPATH": str(project), "PREFECT_HOME": str(project.parent / "prefect")}
    output = subprocess.PIPE if capture else None
    return subprocess.run(command, cwd=project, env=environment, check=True, stdout=output, text=True).stdout or ""


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def scores(metrics: Mapping[str, Any], rung: str | None) -> dict[str, Any]:
    """The figures of a task from metrics/evaluate/TASK.json. `rung`: what was released, None where nothing was."""
    shipped = {"fp32": "onnx", None: "candidate"}.get(rung, rung)
    systems = {"baseline": "baseline", "teacher": "teacher", "student": "student", "shipped": shipped}
    found: dict[str, Any] = {
        name: {key: value for key, value in metrics[system].items() if key.startswith(("accuracy", "macro_f1"))}
        for name, system in systems.items()
    }
    teacher, own, baseline = (found[name]["macro_f1"] for name in ("teacher", "shipped", "baseline"))
    return found | {
        "rung": rung,
        "below_teacher": round(teacher - own, 6),
        "over_baseline": round(own - baseline, 6),
        "over_baseline_interval": metrics["over_baseline"][shipped],
        "test_rows": metrics["test_rows"],
    }


def missed_goals(found: Mapping[str, Mapping[str, Any]], minutes: float) -> list[str]:
    """The goals that were not reached, a line each."""
    missed = [] if minutes <= GOALS["minutes"] else [f"{minutes:.1f} minutes, not {GOALS['minutes']:g}"]
    for task, figures in found.items():
        if figures["rung"] is None:
            missed.append(f"{task} was not released")
        elif not figures["rung"].startswith("int8"):
            missed.append(f"{task} ships {figures['rung']}, not int8")
        if figures["below_teacher"] > GOALS["loss"]:
            missed.append(f"{task} is {figures['below_teacher']:.4f} below its teacher, not {GOALS['loss']:g}")
    gain = found["topic"]["over_baseline"]
    if gain < GOALS["topic_gain"]:
        missed.append(f"topic is {gain:.4f} above counting words, not {GOALS['topic_gain']:g}")
    return missed


def show(found: Mapping[str, Mapping[str, Any]], taken: Mapping[str, float], missed: list[str]) -> None:
    """The table for people."""
    title = (
        f"From a checkpoint to a release: {taken['minutes']:.1f} minutes, {taken['cpu_minutes']:.1f} of processor time"
    )
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("task", "rung", "baseline", "teacher", "shipped", "over baseline"):
        table.add_column(heading)
    for task, figures in found.items():
        cells = [
            "{macro_f1:.4f} ({macro_f1_low:.3f} to {macro_f1_high:.3f})".format(**figures[name])
            for name in ("baseline", "teacher", "shipped")
        ]
        table.add_row(task, figures["rung"] or "none", *cells, f"{figures['over_baseline']:+.4f}")
    console = Console(highlight=False)
    console.print(table)
    for line in missed:
        console.print(f"MISSED: {line}")


if __name__ == "__main__":
    sys.exit(main())
