"""`lianzi run`: the pipeline from a terminal."""

from __future__ import annotations

import gc
import json
import os
import shlex
import time
from itertools import islice
from pathlib import Path

import click
from rich.console import Console

from components.champions import champion_bundle
from components.errors import LianziError, ServiceError, first_line
from components.lease import turn
from components.params import load_params
from components.registry import Registry
from components.runtime.manifest import GENERATION
from components.tracking import store_exists
from flows.forked_stages import forked_stages
from flows.graph import data_version
from flows.record import record_missing
from flows.releasing import considered
from flows.scheduling.overrides import restore_params
from flows.settings import changed_project, project_root
from flows.summary import StageResult, key_metric, table
from flows.temporary_server import start_apart

_EXAMPLE = 60
"""The length of the text in the suggested command."""
_LOOKED_AT = 200
_PLACEHOLDER = "some text"


@click.command("run")
@click.option(
    "--parallel",
    type=click.IntRange(1),
    envvar="LIANZI_PARALLEL",
    show_envvar=True,
    help="Parallel stages (default: two, or the cores if fewer).",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change params.yaml first; may be given several times.",
)
def command(parallel: int | None, settings: tuple[str, ...]) -> None:
    """Run the pipeline: every stale stage, then the release of each task's model."""
    root = project_root()
    with turn(root, "lianzi run"):
        # Whoever runs now is not to see its parameters change.
        run_pipeline(root, parallel, settings)


def run_pipeline(root: Path, parallel: int | None, settings: tuple[str, ...] = ()) -> None:
    """Change params.yaml, bring the pipeline up to date, print the result. Raises LianziError when a stage failed."""
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()
    restored = restore_params(root)
    changes, stages = changed_project(root, settings)
    for line in [*restored, *changes]:
        click.echo(line)
    if told := data_version(root, stages):
        console.print(told, markup=False)
    if all(stage.fresh for stage in stages) and considered.is_current(root):
        results = [StageResult(stage.name, "cached", 0.0, key_metric(stage.name, root)) for stage in stages]
        console.print(table(results))
        record_missing(root)
        console.print(
            f"\nNothing to do: every stage is fresh and every model considered ({time.monotonic() - began:.1f} s)."
        )
        return
    gc.enable()  # a run takes long, and may make cycles
    workers = parallel or min(os.cpu_count() or 1, 2)
    stale = sum(not stage.fresh for stage in stages)
    console.print(f"{len(stages)} stages, {stale} stale; {workers} side by side. Starting Prefect …")
    try:
        # Before Prefect is started: while it is, the other core loads what stages need.
        with forked_stages(root, needed=stale > 0):
            results = _run_flow(root, workers)
    except LianziError as failure:
        if hasattr(failure, "results"):
            console.print("\n", table(failure.results))
        raise
    console.print("\n", table(results))
    console.print(f"\nDone in {time.monotonic() - began:.0f} s. Next:")
    for line in next_steps(root):
        console.print(f"  {line}", markup=False)


def next_steps(root: Path) -> list[str]:
    """The pages and commands to look at after a run."""
    tasks = load_params(root / "params.yaml").tasks
    # A task may have been refused: one that answers comes first.
    champion = next((task for task in tasks if champion_bundle(task) is not None), None)
    first = champion or next(iter(tasks))
    asks = "generate" if tasks[first].kind == GENERATION else "predict"
    ask = f"lianzi {asks} {first} {shlex.join(example_row(root, first))}"
    if champion is None and store_exists() and Registry().refusal(first):
        ask = f"docs/evaluation.md                     what helps: no model answers yet, {first} was refused"
    return [
        ask,
        "lianzi ui                              runs in Prefect, figures and models in MLflow",
        *(f"{path.as_posix():38} {what}" for path, what in pages(first).items()),
        "dvc metrics show metrics/headlines/*   the headlines of this commit; every number: dvc metrics show",
    ]


def example_row(root: Path, task: str) -> list[str]:
    """The texts of a row as they are asked with: a short text, or all that the first test row has."""
    from components.tasks.rows import read_task
    from components.tasks.task import parts

    rows = root / "artifacts" / "tasks" / task
    try:
        kind = read_task(rows)
        if len(kind.texts) > 1:
            with (rows / "test.jsonl").open(encoding="utf-8") as lines:
                return [" ".join(text.split()) for text in parts(kind.text(json.loads(next(lines))))]
    except (LianziError, OSError, ValueError, KeyError, StopIteration):
        pass
    return [example_text(root, task)]


def example_text(root: Path, task: str) -> str:
    """A short text of the task's own test rows, in one line; a placeholder where there are none."""
    try:
        with (root / "artifacts" / "tasks" / task / "test.jsonl").open(encoding="utf-8") as rows:
            texts = [" ".join(json.loads(row)["text"].split()) for row in islice(rows, _LOOKED_AT)]
    except (OSError, ValueError, KeyError):
        return _PLACEHOLDER
    short = min(texts, key=lambda text: abs(len(text) - _EXAMPLE), default=_PLACEHOLDER)
    return short if len(short) <= 2 * _EXAMPLE else f"{short[:_EXAMPLE].rsplit(' ', 1)[0]} …"


def pages(task: str) -> dict[Path, str]:
    """The pages to look at after a run, each with its content. They are outputs of stages, except for the release's
    timings.
    """
    return {
        Path(f"reports/model/{task}/index.html"): "what the model is for, how good it is, and where it fails",
        Path(f"reports/evaluate/{task}/index.html"): "what each step bought",
        Path(f"reports/speed/{task}/index.html"): "how fast each rung is here, and which one ships",
        Path("reports/validation/index.html"): "what the data was checked for",
        Path("reports/curation/index.html"): "where the rows of the data went",
        Path("reports/tokenizer/index.html"): "how texts are split",
    }


def _run_flow(root: Path, workers: int) -> list[StageResult]:
    from flows.pipeline import pipeline

    start_apart()
    try:
        return pipeline(str(root), workers)
    except LianziError:
        raise
    except Exception as error:
        if type(error).__module__.startswith(("httpx", "httpcore")) or "reach API" in str(error):
            where = os.environ.get("PREFECT_API_URL", "the temporary server")
            raise ServiceError(
                f"Prefect ({where}) does not answer: {first_line(error)[:200]}",
                "start it with `prefect server start`, or unset PREFECT_API_URL",
            ) from error
        raise
