"""lm-eval's tasks for decoders, by `lm-eval` itself in an environment of its own (infra/locks/lm-eval.lock).

Its requirements would move the project's own; its numbers are what papers on language models print.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.artifacts import file_hash, read_json
from components.errors import DataError, ServiceError
from components.isolated_envs import environment_python

PINS = Path(__file__).parents[2] / "infra" / "locks" / "lm-eval.lock"
CACHE = "answers"
"""lm-eval keeps each answer there, so a killed run goes on with those it has."""
DTYPE = "float32"


@dataclass(frozen=True)
class HarnessScore:
    """A metric of a task, with its standard error where lm-eval has one."""

    task: str
    metric: str
    value: float
    error: float | None


def harness_python() -> Path:
    """The interpreter of its environment, made on first use: about twenty seconds. Raises ServiceError."""
    if not PINS.is_file():
        raise ServiceError(
            f"{PINS}: missing", "lm-eval's pins come with a clone of Lianzi, not with an installed package"
        )
    cache = Path(os.environ.get("LIANZI_CACHE", ".cache"))
    return environment_python((cache / "environments" / "lm-eval").absolute(), PINS, sharing=True)


def answers_folder(where: Path, system: str, model: str) -> Path:
    """Where the answers of a checkpoint are kept: lm-eval finds them by the question alone, so no two checkpoints, nor
    one that was trained on, may share the folder. `model`: a folder, or OWNER/NAME@COMMIT."""
    digest = hashlib.sha256(DTYPE.encode())
    if Path(model).is_dir():
        for path in sorted(path for path in Path(model).iterdir() if path.is_file()):
            digest.update(f"\n{path.name} {file_hash(path)}".encode())
    else:
        digest.update(model.encode())
    return where / f"{system}-{digest.hexdigest()[:12]}"


def harness_words(tasks: str, model: str, definitions: Path | None, out: Path) -> list[str]:
    """The arguments of `python -m lm_eval`. `definitions`: a folder with YAML files of tasks of one's own."""
    given = [*(["--include_path", str(definitions)] if definitions else [])]
    return [
        *("run", "--model", "hf", "--model_args", f"pretrained={model},dtype={DTYPE},trust_remote_code=False"),
        *("--tasks", tasks, "--batch_size", "8", "--seed", "17", *given),
        *("--use_cache", str(out / CACHE), "--output_path", str(out / "results")),
    ]


def run_tasks(
    python: Path, tasks: str, model: str, definitions: Path | None, out: Path, say: Callable[[str], None]
) -> list[HarnessScore]:
    """Run lm-eval and read its newest results.

    Raises ServiceError with the last line of what it printed, DataError where it wrote no results.
    """
    out.mkdir(parents=True, exist_ok=True)
    words = [str(python), "-m", "lm_eval", *harness_words(tasks, model, definitions, out)]
    say(f"lm-eval {tasks} …")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "it gave no reason")
        hint = "its data sets come from the Hugging Face hub, or from a task file of yours: --data FOLDER"
        raise ServiceError(f"lm-eval {tasks}: {last.strip()[:300]}", hint)
    found = sorted((out / "results").rglob("results_*.json"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise DataError(f"lm-eval {tasks}: no results in {out / 'results'}")
    return read_scores(read_json(found[-1]))


def read_scores(content: dict[str, Any]) -> list[HarnessScore]:
    """The metrics of a results file, whose keys are `acc,none` and `acc_stderr,none`."""
    found = []
    for task, values in content["results"].items():
        for key, value in values.items():
            metric, _, kind = key.partition(",")
            if isinstance(value, int | float) and kind and not metric.endswith("_stderr"):
                error = values.get(f"{metric}_stderr,{kind}")
                error = float(error) if isinstance(error, int | float) else None
                found.append(HarnessScore(task, metric if kind == "none" else f"{metric}_{kind}", float(value), error))
    return found


def told(scores: Sequence[HarnessScore]) -> list[str]:
    """A line a metric: `hellaswag acc 0.287 ± 0.005`."""
    return [
        f"{one.task} {one.metric} {one.value:.3f}" + (f" ± {one.error:.3f}" if one.error is not None else "")
        for one in scores
    ]
