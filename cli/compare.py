"""`lianzi compare`: two results side by side, in the terminal and as a page."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from components.errors import ParameterError
from components.params import load_params
from flows.comparison.inputs import Differences, differences
from flows.comparison.models import TASKS, Pair, add_timings, compared, fetched, tasks_of, unlike
from flows.comparison.page import write_comparison
from flows.reproduction.outputs import Recorded
from flows.reproduction.rerun import recorded_outputs
from flows.reproduction.target import Target, find_target
from flows.settings import project_root

PAGE = Path("reports/compare/index.html")
_MOST = 20
"""Lines of one sort in the terminal; the page has them all."""


@click.command("compare")
@click.argument("first")
@click.argument("second", default="HEAD")
def command(first: str, second: str) -> None:
    """Compare two results: what they were made from, and how their models answer the same test rows.

    A result is a git revision, an MLflow run's id, TASK@champion, TASK@VERSION, or a bundle's folder; the SECOND is
    HEAD by default. Writes reports/compare/index.html.
    """
    root = project_root()
    for line in compare(root, first, second):
        click.echo(line)


def compare(root: Path, first: str, second: str) -> list[str]:
    """Write the page. Returns the lines for the terminal. Raises LianziError for an unknown or unusable result."""
    targets = (find_target(root, first), find_target(root, second))
    if targets[0].lock == targets[1].lock:
        raise ParameterError(f"{targets[0].name} and {targets[1].name} are the same result", "name another one")
    recorded = recorded_outputs(root, targets[1])
    made_from = differences(targets[0].lock, targets[1].lock, recorded)
    names = (targets[0].name, targets[1].name)
    pairs, left_out = _pairs(root, targets, recorded)
    write_comparison(root / PAGE, names, made_from, pairs, left_out)
    return [*_told(made_from), *(f"{pair.task}: {pair.told}" for pair in pairs), *left_out, f"page: {PAGE}"]


def _pairs(root: Path, targets: tuple[Target, Target], recorded: Recorded) -> tuple[list[Pair], list[str]]:
    """The tasks that both have, compared; and why others are not."""
    before, now = (tasks_of(target.lock) for target in targets)
    rows = next(
        (out for entry in targets[1].lock.values() for out in entry.get("outs", []) if out["path"] == TASKS), None
    )
    pairs, left_out = [], []
    for task in dict.fromkeys([*before, *now]):
        if task not in before or task not in now:
            left_out.append(f"{task}: only {targets[task in now].name} has it")
            continue
        if before[task]["md5"] == now[task]["md5"]:
            left_out.append(f"{task}: both have the same bundle, byte for byte")
            continue
        with tempfile.TemporaryDirectory() as folder:
            bundles = Path(folder, "first"), Path(folder, "second")
            found = [fetched(out[task], recorded, bundle) for out, bundle in zip((before, now), bundles, strict=True)]
            if not all(found) or rows is None or not fetched(rows, recorded, Path(folder, "rows"), f"{task}/"):
                left_out.append(f"{task}: DVC's cache no longer has both bundles and the test rows; `dvc pull` may")
                continue
            if reason := unlike(bundles, Path(folder, "rows")):
                left_out.append(f"{task}: {reason}")
                continue
            for bundle in bundles:
                add_timings(task, bundle)
            params = load_params(root / "params.yaml")
            names = (targets[0].name, targets[1].name)
            pairs.append(compared(task, bundles, Path(folder, "rows"), params, names))
    return pairs, left_out


def _told(found: Differences) -> list[str]:
    lines = [f"parameter {name}: {before} -> {now}" for name, (before, now) in found.parameters.items()]
    lines += [f"library {name}: {before} -> {now}" for name, (before, now) in found.libraries.items()]
    lines += [f"data {name}: {told}" for name, told in found.data.items()]
    code = [f"code {name}: {told}" for name, told in found.code.items()]
    lines += code if len(code) <= _MOST else [f"code: {len(code)} files differ"]
    return lines or ["made from the same parameters, libraries, data and code"]
