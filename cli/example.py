"""`lianzi example`: small, complete projects, one for each kind of task, to begin from.

An example is a folder: settings.yaml (what it changes in params.yaml), data/ (its rows, its texts, where they come
from) and README.md. It is taken into the project that one stands in: a clone, or a folder made by `lianzi init`. Texts
that several examples are pretrained on lie beside them, once, in corpora/.
"""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import click

from cli.project_files import files_folder
from components.errors import DataError, ParameterError
from components.params import read_yaml
from flows.graph import DATA, read_graph
from flows.settings import project_root, take_settings

EXAMPLES, SETTINGS, PARAMS = "examples", "settings.yaml", "params.yaml"
BEFORE = "params.yaml.before"
"""params.yaml as it was, which git may not know."""
CORPORA = "corpora"
"""Texts of several examples, a file each under its name in their settings."""


@click.command("example")
@click.argument("name", required=False)
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--force", is_flag=True, help="Put the example's files among those of your own, in place of namesakes.")
def command(name: str | None, dry_run: bool, force: bool) -> None:
    """Put the example NAME into this project; without NAME, list the examples.

    \b
    lianzi example                    list the examples
    lianzi example intent --dry-run   show what would change in params.yaml and data/
    lianzi example intent             show it and change it
    """
    if name is None:
        for line in listing():
            click.echo(line)
        return
    found = example(name)
    root = project_root()
    for line in take_over(found, root, not dry_run, force):
        click.echo(line)


@dataclass(frozen=True)
class Example:
    """The folder of an example."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def title(self) -> str:
        """The heading of its README."""
        return (self.folder / "README.md").read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")

    @property
    def files(self) -> dict[Path, Path]:
        """Its data: the path of each in a project, and where it lies."""
        own = {path.relative_to(self.folder): path for path in (self.folder / DATA).rglob("*") if path.is_file()}
        named = read_yaml(self.folder / SETTINGS)["corpus"]
        shared = (path for path in (self.folder.parent / CORPORA).iterdir() if path.name.partition(".")[0] in named)
        return dict(sorted(({Path(DATA, "corpus", path.name): path for path in shared} | own).items()))


def examples() -> dict[str, Example]:
    """The examples that came with the code, by name."""
    folder = files_folder() / EXAMPLES
    return {path.parent.name: Example(path.parent) for path in sorted(folder.glob(f"*/{SETTINGS}"))}


def example(name: str) -> Example:
    """The example of this name. Raises ParameterError naming the nearest, or all of them."""
    there = examples()
    if name not in there:
        near = difflib.get_close_matches(name, there, n=3, cutoff=0.4)
        known = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(there)}"
        raise ParameterError(f"no example {name!r:.100}", known)
    return there[name]


def listing() -> list[str]:
    """A line an example: its name and title."""
    there = examples()
    width = max(map(len, there), default=0)
    return [*(f"{name:{width}}  {one.title}" for name, one in there.items()), "", "lianzi example NAME takes one over"]


def take_over(found: Example, root: Path, write: bool, force: bool) -> Iterator[str]:
    """Lines on what changes, and then, if `write`, the change.

    Data that `data.dvc` names give way to the example's: DVC brings them back. Raises DataError before anything is
    written where data/ has files that are in no version, unless `force`: the example's then stand among them.
    """
    fragment = read_yaml(found.folder / SETTINGS)
    replaced = _replaced(root)
    if replaced is None and not force:
        raise DataError(
            f"{root / DATA} has files that are in no version of it",
            f"`dvc add {DATA}` keeps them, --force puts the example's files among them",
        )
    yield from take_settings(root / PARAMS, fragment, write=False)
    if replaced:
        back = f"git checkout {DATA}.dvc && dvc checkout {DATA}.dvc"
        yield f"{DATA}/: {replaced} files give way; `{back}` brings them back"
    for path, source in found.files.items():
        there = replaced is None and (root / path).exists()
        size = source.stat().st_size / 1000
        yield f"{path.as_posix()}: {size:.0f} kB, {'replaced' if there else 'new'}"
    if not write:
        return
    if replaced:
        shutil.rmtree(root / DATA)
    for path, source in found.files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, root / path)
    kept = next(path for path in _names(root) if not path.exists())
    shutil.copyfile(root / PARAMS, kept)
    take_settings(root / PARAMS, fragment, write=True)
    yield f"{kept.name}: {PARAMS} as it was"
    yield "next: lianzi run"


def _names(root: Path) -> Iterator[Path]:
    """Files for params.yaml as it was: an example after another leaves what the first one kept."""
    return (root / (BEFORE if not number else f"{BEFORE}.{number}") for number in count())


def _replaced(root: Path) -> int | None:
    """How many files of data/ the example's stand in place of: all of a version that DVC has, or none. None where they
    are in no version."""
    files = sum(path.is_file() for path in (root / DATA).rglob("*"))
    if not files:
        return 0
    tracked = next((stage for stage in read_graph(root) if stage.name == f"{DATA}.dvc"), None)
    return files if tracked is not None and tracked.fresh else None
