"""`lianzi suite`: a benchmark suite, from its published rows to its table and the files that its site takes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from components import tracking
from components.errors import LianziError, ParameterError
from components.lease import lease
from flows.settings import project_root

if TYPE_CHECKING:
    from cli.suite_project import System
    from components.suites.suite import Raw, Suite, SuiteTask

REPORTS = Path("reports/suites")
OWN = "own"
HARNESS = "lm-eval:"
WIDE = 1000
"""Characters that a table may have in a line."""


@click.command("suite")
@click.argument("name", required=False)
@click.option(
    "--model", metavar="CHECKPOINT", help="A folder, or OWNER/NAME@COMMIT; default: the project's own encoder."
)
@click.option("--data", type=click.Path(path_type=Path), help="A folder with the suite's published files.")
@click.option("--name", "system", metavar="SYSTEM", help="What the system is called in the table.")
@click.option("--teacher-only", is_flag=True, help="Stop after fine-tuning: no distillation, no bundle.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A parameter; may be given several times.")
@click.option("--parallel", type=click.IntRange(1), help="Parallel stages (default: two, or the cores if fewer).")
def command(
    name: str | None,
    model: str | None,
    data: Path | None,
    system: str | None,
    teacher_only: bool,
    settings: tuple[str, ...],
    parallel: int | None,
) -> None:
    """Fine-tune and score a model on the suite NAME, or on SUITE/TASK; without NAME, list the suites (docs/suites.md).

    \b
    lianzi suite glue --model models/minilm            rows from the hub
    lianzi suite glue/sst2 --data ~/glue_data          rows from a local copy
    lianzi suite lm-eval:hellaswag --model models/llm  a decoder, by lm-eval
    """
    if name is None:
        for line in listing():
            click.echo(line)
        return
    if name.startswith(HARNESS):
        run_harness(name.removeprefix(HARNESS), model, data)
        return
    from cli.suite_project import System, checkpoint_name
    from components.suites.suite import suite_of

    suite = suite_of(name)
    data = data.absolute() if data else None
    model = checkpoint_name(model) if model else None
    chosen = System(system or system_name(model), model, data, settings)
    if not re.fullmatch(r"\w[\w.-]*", chosen.name) or chosen.name.endswith(".partial"):
        raise ParameterError(f"--name {chosen.name!r:.60} is not a name", "letters, digits, `.`, `_` and `-`")
    run_suite(project_root(), suite, chosen, teacher_only, parallel)


def listing() -> list[str]:
    """A line a suite: its name, and its tasks."""
    from components.suites.suite import SUITES, suite_of

    found = [suite_of(name) for name in SUITES]
    width = max(len(one.name) for one in found)
    tasks = ((one, ", ".join(task.name for task in one.tasks)) for one in found)
    return [*(f"{one.name:{width}}  {one.title}: {told}" for one, told in tasks), "", "lianzi suite NAME runs one"]


def system_name(model: str | None) -> str:
    """What a model is called that nobody gave a name."""
    if model is None:
        return OWN
    return re.sub(r"[^\w.-]", "-", Path(model.partition("@")[0]).name)


def run_suite(root: Path, suite: Suite, system: System, teacher_only: bool, parallel: int | None) -> None:
    """Lay the project out, run its stages, answer the suite's rows, show the table. Raises LianziError, also where some
    tasks failed: after the table of the others."""
    from cli.suite_project import official_rows, suite_folder, suite_project, trained
    from flows.suites.results import BUNDLE, TEACHER, is_answered, scores_of
    from flows.suites.run import is_stale

    models = (TEACHER,) if teacher_only else (TEACHER, BUNDLE)
    with lease(suite_folder(root, suite) / f"{system.name}.json", f"lianzi suite {suite.name}", 0, click.echo):
        project = suite_project(root, suite, system, click.echo)
        rows = {task.name: official_rows(project, task) for task in suite.tasks}
        answerable = [task for task in suite.tasks if rows[task.name]]
        names = [task.name for task in trained(suite)]
        failed: dict[str, str] = {}
        if is_stale(project, names, teacher_only) or not all(is_answered(project, task, models) for task in answerable):
            failed = _work(root, project, suite, system, answerable, rows, models, parallel)
        _write_files(root, project, suite, system, rows, models)
    _show(root, suite, scores_of)
    if failed:
        told = "; ".join(f"{stage}: {reason}" for stage, reason in failed.items())
        raise LianziError(f"{suite.name}: failed: {told}", "mend it and run the command again: what is done is kept")


def _work(
    root: Path,
    project: Path,
    suite: Suite,
    system: System,
    tasks: list[SuiteTask],
    rows: Mapping[str, Mapping[str, list[Raw]]],
    models: tuple[str, ...],
    parallel: int | None,
) -> dict[str, str]:
    """The stages, then the answers, as a run in MLflow. Returns the reasons of failed stages."""
    from cli.suite_project import trained
    from flows.suites.results import BUNDLE, answer_task
    from flows.suites.run import run_stages, workers

    tags = {"lianzi.suite": suite.name, "lianzi.system": system.name}
    params = {"model": system.model or OWN, **dict(one.partition("=")[::2] for one in system.settings)}
    with tracking.resumable_run(f"suite {suite.name} {system.name}", str(project), tags, params, None) as run:
        variables = {
            tracking.PARENT_VARIABLE: run.id,
            "MLFLOW_TRACKING_URI": tracking.tracking_uri(),
            "LIANZI_CACHE": str(project / ".cache"),
        }
        names = [task.name for task in trained(suite)]
        failed = run_stages(project, names, BUNDLE not in models, workers(parallel), variables, click.echo)
        for task in tasks:
            whole = [model for model in models if not _is_missing(task.trained_as or task.name, model, failed)]
            found = answer_task(project, task, rows[task.name], whole, click.echo)
            run.log_metrics(_metrics(suite, found), 0)
    return failed


def _is_missing(task: str, model: str, failed: Collection[str]) -> bool:
    """Whether a task has no such model, because of a stage that failed: a teacher needs none after its own."""
    from flows.suites.results import TEACHER

    stages = {stage.partition("@")[::2] for stage in failed}
    shared = any(not owner for _, owner in stages)
    return shared or any(owner == task and (model != TEACHER or stage == "finetune") for stage, owner in stages)


def _metrics(suite: Suite, found: Mapping[str, Any]) -> dict[str, float]:
    """Official scores as MLflow names them: `glue/CoLA/mcc`, of the bundle `glue/CoLA/bundle/mcc`."""
    from flows.suites.results import TEACHER

    first = suite.name.partition("/")[0]
    return {
        "/".join([first, part, *([] if model == TEACHER else [model]), metric]): value
        for model, kept in found.items()
        for part, scores in kept["scores"].items()
        for metric, value in scores.items()
    }


def _write_files(
    root: Path,
    project: Path,
    suite: Suite,
    system: System,
    rows: Mapping[str, Mapping[str, list[Raw]]],
    models: tuple[str, ...],
) -> None:
    """Submission files of each model."""
    from flows.suites.results import kept_of, write_submission

    kept = {task.name: kept_of(project, task) for task in suite.tasks}
    for model in models:
        answers = {name: found[model]["answers"] for name, found in kept.items() if model in found}
        folder = root / REPORTS / suite.name.replace("/", "-") / system.name / model
        for path in write_submission(folder, suite, rows, answers):
            click.echo(f"to submit: {path.relative_to(root)}")


def _show(root: Path, suite: Suite, scores_of: Any) -> None:
    """The table of all systems that were measured, in the terminal and as Markdown."""
    from cli.suite_project import suite_folder
    from components.suites import table

    systems = {
        project.name if model == "teacher" else f"{project.name}, {model}": scores
        for project in sorted(suite_folder(root, suite).iterdir())
        if project.is_dir() and not project.name.endswith(".partial")
        for model, scores in scores_of(project, suite).items()
    }
    if not systems:
        return
    found = table.lines(suite, systems)
    shown = Table(box=None)
    for number, title in enumerate(found[0]):
        shown.add_column(f"{title}\n{found[1][number]}", justify="left" if number == 0 else "right", no_wrap=True)
    for row in found[2:]:
        shown.add_row(*row)
    console = Console(highlight=False, soft_wrap=True, width=WIDE)  # a table is never cut: a reader may scroll
    console.print(f"\n{suite.title}", markup=False)
    console.print(shown)
    for line in notes(suite):
        console.print(line, markup=False)
    path = root / REPORTS / suite.name.replace("/", "-") / "table.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    told = "\n".join(f"- {line}" for line in notes(suite))
    path.write_text(f"# {suite.title}\n\n{table.markdown(found)}\n{told}\n", encoding="utf-8")
    console.print(f"{path.relative_to(root)}: the same in Markdown", markup=False)


def run_harness(tasks: str, model: str | None, data: Path | None) -> None:
    """Run lm-eval's tasks for a decoder, print and track their metrics. Raises LianziError."""
    from components.starts import named_folder
    from components.suites import harness

    if model is None:
        raise ParameterError(f"{HARNESS}{tasks} has no model", "name a decoder's checkpoint: --model FOLDER")
    named = str(Path(model).absolute()) if named_folder("--model", model) else model.replace("@", ",revision=")
    definitions = data.absolute() if data else None
    root = project_root()
    out = harness.answers_folder(root / REPORTS / "lm-eval" / re.sub(r"[^\w.-]", "-", tasks), system_name(model), model)
    scores = harness.run_tasks(harness.harness_python(), tasks, named, definitions, out, click.echo)
    tags = {"lianzi.suite": f"{HARNESS}{tasks}", "lianzi.system": system_name(model)}
    with tracking.resumable_run(
        f"suite {HARNESS}{tasks} {system_name(model)}", str(out), tags, {"model": model}, None
    ) as run:
        run.log_metrics({f"lm-eval/{one.task}/{one.metric}": one.value for one in scores}, 0)
    for line in harness.told(scores):
        click.echo(line)


def notes(suite: Suite) -> list[str]:
    """What the numbers are of."""
    from components.suites.scores import BLEU_SIGNATURE, CHRF_SIGNATURE

    splits = sorted({part.split.partition("_")[0] for task in suite.tasks for part in task.parts})
    told = [f"on the {' and '.join(splits)} rows that {suite.title} publishes with labels; shares times 100"]
    if any(task.kind["kind"] == "translation" for task in suite.tasks):
        told += [f"BLEU {BLEU_SIGNATURE.format(tokens='13a')}", f"chrF {CHRF_SIGNATURE}"]
    return told
