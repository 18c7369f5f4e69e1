"""The `lianzi` command. Libraries are imported by the commands that need them, so that --help answers at once."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from components.errors import LianziError, ParameterError, ServiceError
from flows import environment


class OneLineErrors(click.Group):
    """Shows a person's mistake as one or two lines, and leaves a bug its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except LianziError as error:
            click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("interrupted; finished stages are kept, run again to go on", err=True)
            ctx.exit(130)


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lianzi")
@click.option(
    "-C", "--directory", type=click.Path(file_okay=False, path_type=Path), help="Work in this project folder."
)
def main(directory: Path | None) -> None:
    """Lianzi (炼字): from raw text to a small, fast, deployed language model.

    \b
    lianzi plan                       what a run will take, before it runs
    lianzi run                        bring the whole pipeline up to date
    lianzi status                     what is fresh, what is stale and why
    lianzi accept                     check later data for drift against today's
    lianzi predict topic "some text"  ask the champion
    lianzi ui                         Prefect's and MLflow's pages
    lianzi doctor                     what this machine has
    """
    if directory is not None:
        if not directory.is_dir():
            raise ParameterError(f"{directory}: no such folder")
        os.chdir(directory)
    environment.prepare()
    # A terminated run ends as an interrupted one does, its stages with it; a shell's background job hears both too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


@main.command()
@click.option("--parallel", type=click.IntRange(1), help="Stages side by side (default: two, or the cores if fewer).")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change params.yaml first; may be repeated."
)
def run(parallel: int | None, settings: tuple[str, ...]) -> None:
    """Run the pipeline: every stale stage, then the release of each task's model."""
    from flows.settings import change_params, project_root

    root = project_root()
    if settings:
        for line in change_params(root / "params.yaml", settings):
            click.echo(line)
    from flows.run import run_pipeline

    run_pipeline(root, parallel)


@main.command()
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Plan a what-if; params.yaml stays as it is."
)
@click.option(
    "--price-per-hour", type=click.FloatRange(min=0), help="Of this machine, in any currency: shows the cost."
)
@click.option("--watts", type=click.FloatRange(min=0), help="That this machine draws at work: shows the energy.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object; sizes in bytes.")
@click.option("--outcomes", is_flag=True, help="Plan nothing: show what earlier plans said and what came of it.")
def plan(
    settings: tuple[str, ...], price_per_hour: float | None, watts: float | None, as_json: bool, outcomes: bool
) -> None:
    """Say what each stage will take on this machine, by trying a few steps; refuse what will not fit."""
    from flows.plan_page import show_outcomes, show_plan
    from flows.settings import project_root

    root = project_root()
    if outcomes:
        show_outcomes()
    else:
        show_plan(root, settings, price_per_hour, watts, as_json)


@main.command()
def status() -> None:
    """Show each stage as fresh or stale with the reason, and each task's champion."""
    from flows.settings import project_root
    from flows.status import show_status

    show_status(project_root())


@main.command()
def accept() -> None:
    """Accept the validated data: later data is checked for drift against it."""
    from flows.accept import accept_data
    from flows.settings import project_root

    for line in accept_data(project_root()):
        click.echo(line)


@main.command()
@click.argument("task")
@click.argument("texts", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with every class's score.")
def predict(task: str, texts: tuple[str, ...], as_json: bool) -> None:
    """Answer TEXTS with the champion of TASK; without TEXTS, each line of standard input."""
    from flows.predict import champion_classifier
    from flows.settings import project_root

    classifier = champion_classifier(project_root(), task)
    lines = list(texts) or [line.rstrip("\n") for line in sys.stdin if line.strip()]
    if not lines:
        raise ParameterError("no text given", f'lianzi predict {task} "some text", or text on standard input')
    for text, answer in zip(lines, classifier.predict(lines), strict=True):
        if as_json:
            scores = {label: round(score, 6) for label, score in answer.scores.items()}
            click.echo(json.dumps({"text": text, "label": answer.label, "scores": scores}, ensure_ascii=False))
        else:
            click.echo(f"{answer.label}\t{answer.score:.3f}" + (f"\t{text[:60]}" if len(lines) > 1 else ""))


@main.command()
@click.option("--prefect-port", default=4200, show_default=True, type=click.IntRange(1, 65535))
@click.option("--mlflow-port", default=5000, show_default=True, type=click.IntRange(1, 65535))
def ui(prefect_port: int, mlflow_port: int) -> None:
    """Serve Prefect's and MLflow's pages on localhost until Ctrl-C."""
    from flows.settings import project_root
    from flows.ui import serve_pages

    serve_pages(project_root(), prefect_port, mlflow_port)


@main.command()
def doctor() -> None:
    """Say what this machine has and what that means for the pipeline."""
    from flows.doctor import show_report

    if not show_report(Path.cwd()):
        raise ServiceError("something above needs mending")


if __name__ == "__main__":
    main()
