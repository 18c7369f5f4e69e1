"""`lianzi compare`: results side by side, in the terminal and as a page."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import click

from components.errors import ParameterError
from components.params import Params, load_params
from components.tracking.inputs import outputs
from flows.comparison.inputs import SAME, Differences, configurations, differences
from flows.comparison.models import TASKS, Comparison, add_timings, compared, fetched, tasks_of, unlike
from flows.comparison.page import MOST, write_comparison
from flows.reproduction.outputs import Recorded
from flows.reproduction.rerun import recorded_outputs
from flows.reproduction.target import Target, find_target
from flows.settings import project_root

PAGE = Path("reports/compare/index.html")
_MOST_LINES = 20
"""Of one sort in the terminal; the page has them all."""


@click.command("compare")
@click.argument("first")
@click.argument("others", nargs=-1)
def command(first: str, others: tuple[str, ...]) -> None:
    """Compare results: what they were made from, and how their models answer the same test rows.

    A result is a git revision, an experiment of DVC, an MLflow run's id, TASK@champion, TASK@challenger, TASK@VERSION,
    or a bundle's folder; OTHERS are HEAD by default, each compared with the FIRST. Writes reports/compare/index.html.
    """
    root = project_root()
    for line in compare(root, [first, *(others or ["HEAD"])]):
        click.echo(line)


def compare(root: Path, named: Sequence[str]) -> list[str]:
    """Write the page. Returns the lines for the terminal. Raises LianziError for an unknown or unusable result."""
    if len(named) > MOST:
        raise ParameterError(f"{len(named)} results are too many for one picture", f"compare {MOST} at most")
    targets = [find_target(root, name) for name in named]
    for one, other in combinations(targets, 2):
        if one.name == other.name:
            raise ParameterError(f"{one.name} is compared with itself", "name another result, for example HEAD~1")
        if one.lock == other.lock:
            raise ParameterError(f"{one.name} and {other.name} are the same result", "name another one")
    recorded = recorded_outputs(root, targets[-1])
    made_from = differences([target.lock for target in targets], recorded)
    found, left_out = _models(root, targets, recorded)
    write_comparison(root / PAGE, [target.name for target in targets], made_from, found, left_out)
    models = [f"{one.task}: {told}" for one in found for told in one.told]
    return [*_told(made_from, [target.name for target in targets]), *models, *left_out, f"page: {PAGE}"]


def _models(root: Path, targets: Sequence[Target], recorded: Recorded) -> tuple[list[Comparison], list[str]]:
    """The tasks that two results or more have, compared; and why others are not."""
    tasks = {target.name: tasks_of(target.lock) for target in targets}
    rows = outputs(targets[-1].lock).get(TASKS)
    params = load_params(root / "params.yaml")
    seeds = configurations({target.name: target.lock for target in targets})
    found, left_out = [], []
    for task in dict.fromkeys(task for own in tasks.values() for task in own):
        bundles = {name: own[task] for name, own in tasks.items() if task in own}
        if len(bundles) == 1:
            left_out.append(f"{task}: only {next(iter(bundles))} has it")
        elif len({out["md5"] for out in bundles.values()}) == 1:
            left_out.append(f"{task}: {'both' if len(bundles) == 2 else 'all'} have the same bundle, byte for byte")
        else:
            comparison, reasons = _compared(task, bundles, rows, recorded, params, seeds)
            found += [comparison] if comparison else []
            left_out += reasons
    return found, left_out


def _compared(
    task: str,
    outs: Mapping[str, Mapping[str, Any]],
    rows: Mapping[str, Any] | None,
    recorded: Recorded,
    params: Params,
    seeds: Sequence[Sequence[str]],
) -> tuple[Comparison | None, list[str]]:
    """The bundles of a task that can be compared, compared, where two can; and why others cannot."""
    with tempfile.TemporaryDirectory() as folder:
        test = Path(folder, "rows")
        if rows is None or not fetched(rows, recorded, test, f"{task}/"):
            return None, [f"{task}: DVC's cache no longer has the test rows; `dvc pull` may"]
        bundles, left_out = {}, []
        for number, (name, out) in enumerate(outs.items()):
            bundle = Path(folder, str(number))
            if not fetched(out, recorded, bundle):
                left_out.append(f"{task}: DVC's cache no longer has the bundle of {name}; `dvc pull` may")
            elif reason := unlike(bundle, test):
                left_out.append(f"{task}: {name} is not compared: {reason}")
            else:
                add_timings(task, bundle)
                bundles[name] = bundle
        return compared(task, bundles, test, params, seeds) if len(bundles) > 1 else None, left_out


def _told(found: Differences, names: Sequence[str]) -> list[str]:
    lines = [f"parameter {name}: {' -> '.join(map(str, values))}" for name, values in found.parameters.items()]
    lines += [f"library {name}: {' -> '.join(map(str, values))}" for name, values in found.libraries.items()]
    lines += [f"data {name}: {_phrases(told, names)}" for name, told in found.data.items()]
    code = [f"code {name}: {_phrases(told, names)}" for name, told in found.code.items()]
    lines += code if len(code) <= _MOST_LINES else [f"code: {len(code)} files differ"]
    return lines or ["made from the same parameters, libraries, data and code"]


def _phrases(told: Sequence[str], names: Sequence[str]) -> str:
    """Of each result but the first what differs, by its name where there are several."""
    if len(told) == 1:
        return told[0]
    return "; ".join(f"{name}: {one}" for name, one in zip(names[1:], told, strict=True) if one != SAME)
