"""The `lianzi` command. Libraries are imported by the commands that need them, so that --help answers at once."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from components.errors import LianziError, ParameterError, ServiceError
from components.serving.limits import Limits
from flows import bundle_commands, environment
from flows.bundle_commands import PUBLIC_KEY

LIMITS = Limits()
REQUESTS = Path(".lianzi/requests.jsonl")


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
    lianzi init FOLDER --task mood=en a project of your own
    lianzi import SOURCE              documents from files, the web, a data set or a database
    lianzi init-from MODEL            go on from a pretrained checkpoint
    lianzi plan                       what a run will take, before it runs
    lianzi run                        bring the whole pipeline up to date
    lianzi schedule                   a run every night, on a Prefect server
    lianzi status                     what is fresh, what is stale and why
    lianzi accept                     check later data for drift against today's
    lianzi predict form "some text"   ask the champion
    lianzi bundle MODEL BUNDLE        a language model as proven, small ONNX graphs
    lianzi generate BUNDLE "Once"     let it carry a text on
    lianzi build --engine E BUNDLE    an engine for this machine, from a bundle's graph
    lianzi serve champion             answer over HTTP (Open Inference Protocol, OpenAI's)
    lianzi speed topic                how fast each rung of a bundle is here
    lianzi drift LOG TASK             what was asked beside what was learnt from
    lianzi triton BUNDLE FOLDER       a model repository for Triton
    lianzi sign, lianzi verify        who made a bundle, and whether it was changed
    lianzi rollback topic             the champion before this one again
    lianzi trace ROW                  which models a row of the data went into
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
@click.option(
    "--parallel",
    type=click.IntRange(1),
    envvar="LIANZI_PARALLEL",
    show_envvar=True,
    help="Stages side by side (default: two, or the cores if fewer).",
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change params.yaml first; may be repeated."
)
def run(parallel: int | None, settings: tuple[str, ...]) -> None:
    """Run the pipeline: every stale stage, then the release of each task's model."""
    from flows.inputs import note_inputs
    from flows.settings import change_params, project_root
    from flows.turn import turn

    root = project_root()
    with turn(root, "lianzi run"):
        # Whoever runs now is not to see its parameters change.
        changes = change_params(root / "params.yaml", settings) if settings else []
        for line in (*changes, *note_inputs(root)):
            click.echo(line)
        from flows.run import run_pipeline

        run_pipeline(root, parallel)


@main.command("init-from")
@click.argument("model")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
def init_from_(model: str, dry_run: bool) -> None:
    """Go on from MODEL, a pretrained checkpoint: say what it is, and set params.yaml accordingly.

    \b
    lianzi init-from models/minilm                        a folder as transformers writes it
    lianzi init-from OWNER/NAME@0123…cdef                 a commit on Hugging Face's hub
    """
    from flows.init_from import as_seen_from, init_from
    from flows.settings import project_root

    here = Path.cwd()
    root = project_root()
    os.chdir(here)  # MODEL is seen from where it was typed
    name = as_seen_from(root, model)
    os.chdir(root)
    init_from(root, name, not dry_run, click.echo)


@main.command()
@click.option("--pool", default="local", show_default=True, help="The work pool whose workers run it; made if need be.")
def schedule(pool: str) -> None:
    """Deploy the project on the Prefect server at PREFECT_API_URL, to run as infra/prefect.yaml says: every night.

    A worker on this machine carries the runs out: prefect worker start --pool local
    """
    from flows.schedule import schedule_project
    from flows.settings import project_root

    schedule_project(project_root(), pool)


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
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--task", "tasks", multiple=True, required=True, metavar="NAME=LANGUAGE", help="As mood=en; may be repeated."
)
def init(folder: Path, tasks: tuple[str, ...]) -> None:
    """Begin a project of your own in FOLDER: parameters, graph and code, in git and DVC."""
    from flows.init import make_project

    named = dict(task.partition("=")[::2] for task in tasks)
    for line in make_project(folder, named):
        click.echo(line)


@main.command("import")
@click.argument("source")
@click.option("--name", help="What to call it: data/corpus/NAME.jsonl.zst (default: as the source is called).")
@click.option("--language", help="Of rows that do not say theirs: en, zh, en,zh, mixed, … (default: guessed).")
@click.option("--licence", help="Of the texts, an SPDX name such as CC-BY-4.0.")
@click.option("--text-column", default="text", show_default=True, help="The column that holds the text.")
@click.option("--id-column", help="The column that holds an id of the row's own (default: id, if there is one).")
@click.option("--split", help="Of a Hugging Face data set (default: train).")
@click.option("--config", help="Of a Hugging Face data set that has several.")
@click.option("--query", help="SELECT …: what to take from a database.")
@click.option("--limit", type=click.IntRange(1), help="At most so many documents.")
@click.option("--replace", is_flag=True, help="Put it in place of an earlier import of this name.")
def import_(source: str, **options: Any) -> None:
    """Import documents from SOURCE into data/corpus, and name them in params.yaml.

    \b
    lianzi import notes/                          a folder: text, Markdown, HTML, source code, rows
    lianzi import rows.csv.gz --text-column body  JSONL, CSV, TSV, parquet or text, also .gz and .zst
    lianzi import https://example.org/a.parquet   any address fsspec knows: s3://, gs://, sftp://, …
    lianzi import OWNER/NAME --split train        a Hugging Face data set, or one saved by save_to_disk
    lianzi import sqlite:///a.db --query 'SELECT id, body AS text FROM posts ORDER BY id'
    """
    from flows.imports import ImportOptions, import_source
    from flows.settings import project_root

    here = Path.cwd()
    root = project_root()
    os.chdir(here)  # SOURCE is seen from where it was typed
    import_source(root, source, ImportOptions(**options))


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
@click.option("--file", metavar="FILE", help="Answer each line of FILE; - is standard input.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with every class's score.")
@click.option("--public-key", envvar=PUBLIC_KEY, type=click.Path(path_type=Path), help="Refuse what it did not sign.")
def predict(task: str, texts: tuple[str, ...], file: str | None, as_json: bool, public_key: Path | None) -> None:
    """Answer TEXTS with the champion of TASK; without TEXTS, each line of a file or of standard input.

    \b
    lianzi predict form "床前明月光，疑是地上霜。"
    lianzi predict form --file texts.txt --json
    cut -f2 rows.tsv | lianzi predict form

    One line of output a text; a blank line gives an empty one, so that the two can be put side by side.
    """
    from flows.predict import STANDARD_INPUT, answers, champion_classifier, check_texts_given, lines_of_file
    from flows.settings import project_root

    check_texts_given(task, texts, file)
    source = STANDARD_INPUT if file in (None, STANDARD_INPUT) else str(Path(str(file)).absolute())
    classifier = champion_classifier(project_root(), task, public_key)
    if texts:
        for line in answers(classifier, texts, as_json, with_text=len(texts) > 1):
            click.echo(line)
        return
    answered = False
    with lines_of_file(source) as lines:
        for line in answers(classifier, lines, as_json, with_text=True):
            click.echo(line)
            answered = True
    if not answered:
        raise ParameterError("no text given", f'lianzi predict {task} "some text", or --file FILE')


@main.command()
@click.argument("task")
@click.option("--to", type=click.IntRange(1), metavar="VERSION", help="That version, whatever was champion before.")
def rollback(task: str, to: int | None) -> None:
    """Make the champion before this one the champion of TASK again.

    The version that is left is not made champion again by a later run. Servers go over within seconds.
    """
    from flows.rollback import roll_back
    from flows.settings import project_root

    click.echo(roll_back(project_root(), task, to))


@main.command()
@click.argument("what", nargs=-1, required=True, metavar="champion|TASK|BUNDLE...")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--api-key-file", type=click.Path(path_type=Path), help="Ask for a key: one of the lines of this file.")
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="With --tls-key: HTTPS.")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--max-queue", default=LIMITS.max_queue, show_default=True, type=click.IntRange(1), help="Rows waiting.")
@click.option("--max-rows", default=LIMITS.max_rows, show_default=True, type=click.IntRange(1), help="Of a request.")
@click.option(
    "--max-delay",
    default=LIMITS.max_delay,
    show_default=True,
    type=click.FloatRange(0),
    help="Seconds to fill a batch.",
)
@click.option(
    "--timeout", default=LIMITS.timeout, show_default=True, type=click.FloatRange(0.01), help="Seconds to an answer."
)
@click.option(
    "--drain", default=LIMITS.drain, show_default=True, type=click.FloatRange(0), help="Seconds to finish in."
)
@click.option(
    "--threads", default=1, show_default=True, type=click.IntRange(1), help="Batches of a model side by side."
)
@click.option(
    "--poll", default=3.0, show_default=True, type=click.FloatRange(0.1), help="Seconds between looks for champions."
)
@click.option("--public-key", envvar=PUBLIC_KEY, type=click.Path(path_type=Path), help="Refuse what it did not sign.")
@click.option("--access-log/--no-access-log", default=True, show_default=True)
@click.option(
    "--log-requests", type=click.FloatRange(0, 1, min_open=True), help="Keep this share of requests, scrubbed."
)
@click.option(
    "--log-file", default=REQUESTS, show_default=True, type=click.Path(path_type=Path), help="Where they are kept."
)
def serve(
    what: tuple[str, ...],
    host: str,
    port: int,
    api_key_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    threads: int,
    poll: float,
    public_key: Path | None,
    access_log: bool,
    log_requests: float | None,
    log_file: Path,
    **bounds: Any,
) -> None:
    """Serve every task's champion, the champion of TASK, or the bundles in some folders, until SIGTERM or Ctrl-C.

    The REST form of the Open Inference Protocol (KServe v2, Triton): POST /v2/models/TASK/infer; OpenAI's form for what
    generates or embeds: POST /v1/chat/completions. See docs/serving.md, and /openapi.json of a server.
    """
    from flows import serve as serving

    if (tls_cert is None) != (tls_key is None):
        raise ParameterError("--tls-cert and --tls-key go together")
    tls = (tls_cert, tls_key) if tls_cert and tls_key else None
    log = (log_requests, log_file) if log_requests else None
    options = serving.ServeOptions(host, port, api_key_file, tls, threads, poll, access_log, public_key, log)
    serving.serve(what, replace(LIMITS, **bounds), options)


@main.command()
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("task")
def drift(log: Path, task: str) -> None:
    """Compare the requests in LOG, kept by `lianzi serve --log-requests`, with the training rows of TASK.

    Lengths and labels, by the population stability index: below 0.1 hardly anything moved, above 0.25 much did.
    """
    from flows.drift import request_drift
    from flows.settings import project_root

    rows, found = request_drift(project_root(), log, task)
    click.echo(f"{rows} rows of {task} in {log}, beside its training rows")
    for one in found:
        click.echo(f"{one.dimension:8} {one.index:8.3f}  {one.most}{'  more than max_drift' * one.too_much}")


@main.command()
@click.argument("what", metavar="TASK|BUNDLE")
def speed(what: str) -> None:
    """Time the rungs of a task's bundle, or of the bundle in a folder: the gate that a release goes through."""
    from components.artifacts import MANIFEST
    from flows.settings import project_root
    from flows.speed import show_speed

    folder = Path(what).absolute()  # as seen from where it was typed
    root = project_root()
    show_speed(root, str(folder) if (folder / MANIFEST).is_file() else what)


@main.command()
@click.argument("row_id", metavar="ROW")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def trace(row_id: str, as_json: bool) -> None:
    """Say where a ROW of the data stands and which artifacts and models it went into.

    ROW is SOURCE/NAME, or TASK/SPLIT/NAME of a labelled row.
    """
    from flows.settings import project_root
    from flows.trace import show_trace

    show_trace(project_root(), row_id, as_json)


@main.command()
@click.argument("row_ids", nargs=-1, required=True, metavar="ROW…")
def forget(row_ids: tuple[str, ...]) -> None:
    """Take rows out of every corpus and task from now on, and say which models have to be made anew."""
    from flows.settings import project_root
    from flows.trace import forget_rows

    forget_rows(project_root(), row_ids)


@main.command()
@click.option("--prefect-port", default=4200, show_default=True, type=click.IntRange(1, 65535))
@click.option("--mlflow-port", default=5000, show_default=True, type=click.IntRange(1, 65535))
@click.option("--browser/--no-browser", default=True, help="Open MLflow's page, where there is a screen.")
def ui(prefect_port: int, mlflow_port: int, browser: bool) -> None:
    """Serve Prefect's and MLflow's pages on localhost until Ctrl-C."""
    from flows.settings import project_root
    from flows.ui import serve_pages

    serve_pages(project_root(), prefect_port, mlflow_port, browser)


@main.command()
def doctor() -> None:
    """Say what this machine has and what that means for the pipeline."""
    from flows.doctor import show_report

    if not show_report(Path.cwd()):
        raise ServiceError("something above needs mending")


for command in bundle_commands.COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main()
