"""`lianzi init`: a new project, outside the clone, from an installed package.

The project gets a copy of the code beside dvc.yaml: the graph names the code files of each stage, so they must be in
the project, and a result stays traceable to its code whatever is installed later.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import click

import components
import flows
from cli.project_files import FILES, PLOTS, files_folder, pages
from components.artifacts import is_plain_name
from components.errors import ParameterError, ServiceError, first_line
from components.params import read_yaml
from flows.graph import DATA
from flows.settings import name_tasks

README = """# {name}

A Lianzi project. Texts go to `data/corpus/` (`lianzi import SOURCE` brings some), labelled rows to
`data/tasks/NAME/{{train,validation,test}}.jsonl`, with the columns of the task's kind (docs/tasks.md): of a
classification a `text` and a `label`. Every parameter is in `params.yaml`.

    lianzi plan      # what a run will take
    lianzi run       # bring everything up to date: `dvc.lock` and `metrics/` are to be committed
    lianzi status    # what is fresh, what is stale, who is champion
    lianzi predict {task} "some text"

`components/` and `flows/` are the code that makes the results, of lianzi {version}; `docs/` says what each parameter,
kind of task and objective is.
"""


@click.command("init")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="NAME=LANGUAGE",
    help="Such as mood=en; may be given several times.",
)
@click.option("--example", "example_name", metavar="NAME", help="Begin from an example (`lianzi example` lists them).")
def command(folder: Path, tasks: tuple[str, ...], example_name: str | None) -> None:
    """Begin a project of your own in FOLDER: parameters, graph and code, in git and DVC.

    \b
    lianzi init my-project --task mood=en       with a task of your own
    lianzi init my-project --example intent     with the parameters and data of an example
    """
    if tasks and example_name:
        raise ParameterError("--task and --example do not go together", "an example brings its own tasks")
    named = dict(task.partition("=")[::2] for task in tasks)
    if lacking := next((task for task, language in named.items() if not language), None):
        raise ParameterError(f"--task {lacking}: no language", f"--task {lacking}=en, or --task {lacking}=zh")
    lines = make_project(folder, named) if example_name is None else make_example(folder, example_name)
    for line in lines:
        click.echo(line)


def make_example(folder: Path, name: str) -> list[str]:
    """Create a project with the parameters and data of an example. Returns lines on the next steps.

    Raises LianziError as `make_project` does, and for an example that there is not.
    """
    from cli.example import BEFORE, SETTINGS, example, take_over

    found = example(name)
    if any(path.is_file() for path in (folder / DATA).rglob("*")):
        raise ParameterError(
            f"{folder / DATA}: has files, and an example brings its own", "name another folder, or begin with --task"
        )
    tasks = {task: str(entry["language"]) for task, entry in read_yaml(found.folder / SETTINGS)["tasks"].items()}
    made = make_project(folder, tasks)
    changes = sum(line.startswith("params.yaml: ") for line in take_over(found, folder, write=True, force=False))
    (folder / BEFORE).unlink()  # nobody's own
    rows = [line for line in made if not line.startswith("  put ")]
    return [rows[0], f"{name}: {found.title}; {changes} parameters of its own", *rows[1:]]


def make_project(folder: Path, tasks: Mapping[str, str]) -> list[str]:
    """Create a project in a folder and add it to git and DVC. Returns lines on the next steps. `tasks`: name ->
    language.

    Raises LianziError before anything is written where a project exists already, or a name or language is wrong;
    ServiceError where git or DVC fails.
    """
    if not tasks:
        raise ParameterError(
            "no task is named",
            "lianzi init FOLDER --task NAME=LANGUAGE, for example --task mood=en; or --example NAME",
        )
    if strange := next((name for name in tasks if not is_plain_name(name) or "." in name), None):
        raise ParameterError(f"--task {strange!r:.100} is not a name for a task", "letters, digits, `_` and `-`")
    there = [name for name in ("dvc.yaml", "params.yaml", "components", "flows") if (folder / name).exists()]
    if there:
        raise ParameterError(f"{folder / there[0]}: exists already", "name a folder without a project")
    source = files_folder()
    name_tasks(source / "params.yaml", tasks, write=False)
    for name in (*FILES, *pages(source)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if not (folder / name).exists():
            shutil.copyfile(source / name, folder / name)
    for package in (components, flows):
        code = Path(str(package.__file__)).parent
        shutil.copytree(code, folder / code.name, ignore=shutil.ignore_patterns("__pycache__"))
    name_tasks(folder / "params.yaml", tasks, write=True)
    for name in ("corpus", *(f"tasks/{task}" for task in tasks)):
        (folder / "data" / name).mkdir(parents=True, exist_ok=True)
    if not (folder / "README.md").exists():
        text = README.format(name=folder.resolve().name, task=next(iter(tasks)), version=_version())
        (folder / "README.md").write_text(text, encoding="utf-8")
    said = _know(folder)
    _draw_plots_offline(source, folder)
    return [f"made {folder}", *said, *_next(folder, tasks)]


def _version() -> str:
    return metadata.version("lianzi")


def _know(folder: Path) -> list[str]:
    """Initialize git and DVC in the folder. Returns a line where git is not installed."""
    if shutil.which("git") is None:
        _run(folder, "dvc", "init", "-q", "--no-scm")
        said = ["git is missing: install it and run `git init` here, or no result can be traced to its parameters"]
    else:
        top = subprocess.run(
            ["git", "rev-parse", "--show-toplevel"], cwd=folder, capture_output=True, text=True, check=False
        )
        if top.returncode != 0:
            _run(folder, "git", "init", "-q")
        inside = top.returncode == 0 and Path(top.stdout.strip()).resolve() != folder.resolve()
        _run(folder, "dvc", "init", "-q", *(["--subdir"] if inside else []))
        said = []
    _run(folder, "dvc", "config", "core.analytics", "false")
    return said


def _draw_plots_offline(source: Path, folder: Path) -> None:
    """Give `dvc plots` a page that needs no network, and the template of the curves in dvc.yaml."""
    for name in PLOTS:
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(source / name, folder / name)
    _run(folder, "dvc", "config", "plots.html_template", Path(PLOTS[0]).relative_to(".dvc").as_posix())


def _run(folder: Path, *words: str) -> None:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ServiceError(f"`{' '.join(words)}` failed in {folder}: {first_line(done.stderr or done.stdout)}")


def _next(folder: Path, tasks: Mapping[str, str]) -> list[str]:
    return [
        "next:",
        f"  cd {folder}",
        "  put texts into data/corpus/: *.jsonl, *.csv, *.txt, … (`lianzi import SOURCE` brings some)",
        *(f"  put labelled rows into data/tasks/{name}/: train, validation and test" for name in tasks),
        "  dvc add data && git add -A && git commit -m 'Begin'",
        "  lianzi run",
    ]
