"""`lianzi sweep`: a search for parameters, from its file to the trial that is taken over."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from components import tracking
from components.errors import LianziError
from components.lease import lease
from flows.inputs import note_inputs
from flows.settings import project_root, set_values
from flows.temporary_server import start_apart

if TYPE_CHECKING:
    from flows.sweeping.plan import Plan
    from flows.sweeping.spec import LocatedFile
    from flows.sweeping.study import Study

PAGES = Path("reports/sweeps")


@click.command("sweep")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--take-over", is_flag=True, help="Then write the best trial's parameters into params.yaml.")
def command(file: Path, take_over: bool) -> None:
    """Search for parameters as FILE says (docs/sweeps.md), and show the trials.

    Each trial runs in a work tree of its own, up to the stage that writes the metric. A sweep that was interrupted goes
    on where it was; one that is finished shows its trials again.
    """
    file = file.absolute()
    sweep(project_root(), file, take_over)


def sweep(root: Path, path: Path, take_over: bool) -> None:
    """Raises LianziError: the file is wrong, the project is not fit, or no trial can run."""
    from flows.sweeping import page, trees
    from flows.sweeping.plan import current_values, plan_sweep
    from flows.sweeping.spec import LocatedFile
    from flows.sweeping.study import Study

    file = LocatedFile(path.relative_to(root) if path.is_relative_to(root) else path)
    plan = plan_sweep(root, file)
    folder = trees.sweep_folder(root, file.name)
    with lease(folder / "sweep.json", f"lianzi sweep {file.path}", 0, click.echo):
        if not (folder / "study.db").is_file():
            trees.forget_base(root, file.name)
        study = Study(folder / "study.db", file.spec)
        if study.interrupted() or study.asked() < file.spec.trials:
            for line in note_inputs(root):
                click.echo(line)
            commit, new = trees.base_commit(root, file.name)
            if new and (values := current_values(root, file)):
                study.begin_with(values)
            _run(root, file, plan, study, commit)
        trials, best, importance = study.trials(), study.best(), study.importance()
        place = PAGES / file.name / "index.html"
        page.write_sweep(root / place, file.name, file.spec, trials, best, importance)
    console = Console(highlight=False, soft_wrap=True)
    shown = Table(*["trial", "state", file.spec.objective.metric, "s", *file.spec.parameters], box=None)
    for one in page.ranked(trials, file.spec):
        shown.add_row(*page.row(one, file.spec))
    console.print(shown)
    for name, share in importance.items():
        console.print(f"{share:6.0%} of the difference: {name}", markup=False)
    console.print(f"{place.as_posix()}: the same as pictures")
    if best is None:
        raise LianziError(f"{file.path}: no trial has a result", "the lines above say why")
    if take_over:
        for name, (before, now) in set_values(root / "params.yaml", best.values, write=True).items():
            click.echo(f"params.yaml: {name}: {before} -> {now}")
        click.echo(f"Trial {best.number} is taken over; `lianzi run` restores its stages from DVC's cache.")
    else:
        click.echo(f"Best: trial {best.number}. `lianzi sweep {file.path} --take-over` writes it into params.yaml.")


def _run(root: Path, file: LocatedFile, plan: Plan, study: Study, commit: str) -> None:
    from flows.sweeping.flow import Sweep, run_sweep

    again = study.asked()
    click.echo(
        f"{len(plan.once)} stages once, {len(plan.each_time)} in each of {file.spec.trials} trials"
        + (f", {again} of them there; " if again else "; ")
        + f"work trees of {commit[:8]}. Starting Prefect …"
    )
    tags = {"lianzi.sweep": file.name, "lianzi.driver": f"lianzi sweep|{file.path}"}
    params = {name: str(one.model_dump()) for name, one in file.spec.parameters.items()}
    with tracking.resumable_run(f"sweep {file.name}", study.key, tags, params, None) as run:
        start_apart()
        run_sweep(Sweep(root, file, plan, study, commit, run.id))
        if best := study.best():
            run.log_metrics({"objective": best.value or 0.0, "trial": best.number}, 0)
