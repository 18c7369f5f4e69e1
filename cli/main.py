"""The `lianzi` command. A command's module is imported when that command is called, so that --help answers at once."""

from __future__ import annotations

import atexit
import difflib
import gc
import os
import signal
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from components.errors import LianziError, ParameterError
from flows import env_defaults

COMMANDS = {
    "init": ("cli.init:command", "Begin a project of your own."),
    "example": ("cli.example:command", "Begin from an example of a kind of task."),
    "import": ("cli.import_documents:command", "Import documents from files, the web, a data set or a database."),
    "init-from": ("cli.init_from:command", "Go on from a pretrained checkpoint."),
    "plan": ("cli.plan:command", "Say what a run will take, before it runs."),
    "run": ("cli.run:command", "Bring the whole pipeline up to date."),
    "schedule": ("flows.schedule:command", "Run every night and on new data, on a Prefect server."),
    "status": ("cli.status:command", "Show what is fresh, what is stale and why."),
    "compare": ("cli.compare:command", "Compare results, and their models on the same rows."),
    "reproduce": ("cli.reproduce:command", "Compute a past result anew, and compare every output."),
    "sweep": ("cli.sweep:command", "Search for better parameters."),
    "suite": ("cli.suite:command", "Score a model on GLUE, SuperGLUE, SQuAD and others."),
    "accept": ("cli.drift:accept", "Check later data for drift against today's."),
    "predict": ("cli.predict:command", "Answer texts with the champion of a task."),
    "bundle": ("cli.bundle:command", "Turn a trained model into verified, small ONNX graphs."),
    "generate": ("cli.bundle:generate", "Let a bundled language model carry a text on."),
    "in-context": ("cli.in_context:command", "Classify with a language model, without training."),
    "pass-at-k": ("cli.pass_at_k:command", "Have a language model write programs, and run their tests."),
    "build": ("cli.build:command", "Build an engine for this machine from a bundle's graph."),
    "serve": ("cli.serve:command", "Answer over HTTP (Open Inference Protocol, OpenAI's)."),
    "speed": ("cli.speed:command", "Time each rung of a bundle on this machine."),
    "drift": ("cli.drift:drift", "Compare logged requests with the training rows."),
    "watch": ("cli.watch:command", "Tell drift of a champion's requests and answers."),
    "triton": ("cli.build:triton", "Write a model repository for Triton."),
    "keygen": ("cli.signing:keygen", "Make a key to sign bundles with."),
    "sign": ("cli.signing:sign", "Sign a bundle."),
    "verify": ("cli.signing:verify", "Check that a bundle is as it was signed."),
    "approve": ("cli.approve:command", "Make the challenger of a task champion, or decline it."),
    "live": ("cli.live:command", "Say which version answers, now or at a time."),
    "rollback": ("cli.rollback:command", "Make the champion before this one champion again."),
    "trace": ("cli.trace:command", "Say what a row, model, run or answer is from and became."),
    "forget": ("cli.forget:command", "Take rows out of every corpus and task."),
    "ui": ("cli.ui:command", "Serve Prefect's and MLflow's pages."),
    "gc": ("cli.gc:command", "Remove what nothing needs any more."),
    "doctor": ("cli.doctor:command", "Say what this machine has."),
}
"""Name -> the module of the command, and its line in the help; in the order in which a project needs them."""
RUNS_STAGES = ("run", "sweep", "suite", "watch")
"""Commands that, once interrupted, go on with what is done."""
QUICK = ("run", "status")
"""Commands that do without the collector of cycles; `run` while it looks for what is stale."""


class LazyGroup(click.Group):
    """Imports a command on its call. Shows a user error as one or two lines; a bug keeps its traceback."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """In a process of its own, the collector of cycles rests while modules are imported: they stay."""
        gc.disable()
        atexit.register(_leave)
        return super().__call__(*args, **kwargs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        if cmd_name not in QUICK:
            gc.enable()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and (close := difflib.get_close_matches(args[0], COMMANDS, n=1)):
            ctx.fail(f"No such command '{args[0]}'; did you mean '{close[0]}'?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        env_defaults.prepare()  # before a command's module imports a library that reads the environment
        try:
            return super().invoke(ctx)
        except LianziError as error:
            click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            kept = "; finished stages are kept, run again to go on" if ctx.invoked_subcommand in RUNS_STAGES else ""
            click.echo(f"interrupted{kept}", err=True)
            ctx.exit(130)


def _leave() -> None:
    """A process that did without the collector ends without it: Python would search all modules for cycles."""
    if not gc.isenabled():
        gc.freeze()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="lianzi")
@click.option(
    "-C", "--directory", type=click.Path(file_okay=False, path_type=Path), help="Work in this project folder."
)
def main(directory: Path | None) -> None:
    """Lianzi (炼字): from raw text to a small, fast, deployed language model."""
    if directory is not None:
        if not directory.is_dir():
            raise ParameterError(f"{directory}: no such folder")
        os.chdir(directory)
    # A terminated run ends as an interrupted one does, its stages with it; a shell's background job hears both too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


if __name__ == "__main__":
    main()
