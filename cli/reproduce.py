"""`lianzi reproduce`: a past result computed anew and compared, output by output."""

from __future__ import annotations

import time
from pathlib import Path

import click

from components import tracking
from components.errors import LianziError
from components.lease import turn
from components.machine import processor
from components.tracking.past_runs import REPRODUCED
from flows.reproduction.rerun import Verdict, rerun
from flows.reproduction.target import Target, find_target
from flows.reproduction.worktree import build_environment, remove, tree_of, work_tree
from flows.settings import project_root


class NotReproduced(LianziError):
    """An output differs from the recorded one."""


@click.command("reproduce")
@click.argument("result", default="HEAD")
@click.option("--build-environment", is_flag=True, help="Install what the commit's requirements.lock pins, and use it.")
@click.option("--keep", is_flag=True, help="Keep the work tree, also where everything is equal.")
def command(result: str, build_environment: bool, keep: bool) -> None:
    """Compute a past RESULT anew, without any cache, and compare every output with the recorded one.

    RESULT is a git revision (HEAD by default), an experiment of DVC, an MLflow run's id, TASK@champion,
    TASK@challenger, TASK@VERSION, or a bundle's folder.
    The exit code is 0 where all outputs are equal, and 1 with the first difference and its causes where one is not.
    """
    reproduce(project_root(), result, build_environment, keep)


def reproduce(root: Path, named: str, build: bool, keep: bool) -> None:
    """Raises NotReproduced, and LianziError where the result cannot be computed again here."""
    target = find_target(root, named)
    began = time.monotonic()
    with turn(root, "lianzi reproduce"), work_tree(root, target) as project:
        click.echo(f"{target.name}: {len(target.lock)} stages in {project.relative_to(root)}")
        python = None
        if build:
            click.echo("Installing what requirements.lock pins …")
            python = build_environment(project)
        verdict = rerun(root, project, target, python, click.echo)
        if not keep and verdict.equal:
            remove(root, tree_of(root, target))
    _note(target, verdict)
    if not verdict.equal:
        raise NotReproduced(*_difference(target, verdict))
    click.echo(
        f"Reproduced: all {verdict.outputs} outputs of {verdict.stages} stages are equal, byte for byte "
        f"({time.monotonic() - began:.0f} s)."
    )


def _difference(target: Target, verdict: Verdict) -> tuple[str, str]:
    assert verdict.output is not None
    causes = "\n".join(f"cause: {cause}" for cause in verdict.causes) or (
        "no input differs: the stage is not deterministic, or this machine computes otherwise than the recorded one"
    )
    return f"{target.name}: {verdict.stage} is the first stage that differs: {verdict.output.told()}", causes


def _note(target: Target, verdict: Verdict) -> None:
    """Tag the run and the version with when, where and what came of it."""
    if not target.run_id:
        return
    told = f"{'equal' if verdict.equal else f'differs in {verdict.stage}'}, {time.strftime('%Y-%m-%d')}, {processor()}"
    client = tracking.connect()
    client.set_tag(target.run_id, REPRODUCED, told)
    if target.version is not None:
        client.set_model_version_tag(target.version[0], str(target.version[1]), REPRODUCED, told)
