"""`lianzi speed`: the rungs of a bundle, timed in turn on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from components.artifacts import MANIFEST
from components.errors import ParameterError
from components.params import load_params
from components.runtime.manifest import whole_bundle
from flows.settings import project_root
from flows.timing import measured, one_at_a_time, refused_for_quality, report, reported

if TYPE_CHECKING:
    from rich.table import Table


@click.command("speed")
@click.argument("what", metavar="TASK|BUNDLE")
def command(what: str) -> None:
    """Time the rungs of a task's bundle, or of the bundle in a folder: the gate that a release goes through."""
    folder = Path(what).absolute()  # as seen from where it was typed
    root = project_root()
    show_speed(root, str(folder) if (folder / MANIFEST).is_file() else what)


def show_speed(root: Path, what: str) -> None:
    """Measure, and print the table. A task's page is written where it does not exist for this bundle."""
    from rich.console import Console

    bundle = bundle_of(root, what)
    with one_at_a_time(root, "speed"):
        found = measured(root, bundle, load_params(root / "params.yaml"))
        if found["systems"] and reported(root, found["task"], bundle) is None:
            report(root, bundle, found)
    console = Console(highlight=False, soft_wrap=True)
    console.print(sizes(found), "", times(found), "", sep="\n")
    for name, verdict in found["verdicts"].items():
        if not verdict["accepted"]:
            console.print(f"{name} refused: {verdict['reason']}")
    for name, reason in refused_for_quality(bundle).items():
        console.print(f"{name} refused: {reason}")
    console.print(f"a release here would ship {found['shipped']}: {found['shipped_because']}")


def bundle_of(root: Path, what: str) -> Path:
    """The bundle in a folder, or the last one built for a task, with all files. Raises ParameterError,
    ArtifactError.
    """
    if (Path(what) / MANIFEST).is_file():
        whole_bundle(Path(what))
        return Path(what)
    known = list(load_params(root / "params.yaml").tasks)
    if what not in known:
        raise ParameterError(f"'{what}' is neither a bundle's folder nor a task", f"tasks: {', '.join(known)}")
    bundle = root / "artifacts" / what / "bundle"
    whole_bundle(bundle)
    return bundle


def sizes(found: dict[str, Any]) -> Table:
    """One row for each rung: megabytes of its file, and the memory that it adds to a process."""
    shown = _table("rung", "MB", "peak memory, MB")
    for name, peak in found["memory_megabytes"].items():
        size = found["megabytes"].get(name)
        shown.add_row(name, "" if size is None else f"{size:.2f}", "" if peak is None else f"{peak:.0f}")
    return shown


def times(found: dict[str, Any]) -> Table:
    """One row for each rung and case: milliseconds for a call, and rows per second."""
    shown = _table("case", "rung", "p50 ms", "p95", "p99", "rows/s")
    for case in next(iter(found["speed"].values())):
        for name, figures in found["speed"].items():
            one = figures[case]
            cells = [f"{one[share]:.2f}" for share in ("p50", "p95", "p99")]
            shown.add_row(case.replace("_", " "), name, *cells, f"{one['rows_per_second']:,.0f}")
    return shown


def _table(*headings: str) -> Table:
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    for heading in headings:
        shown.add_column(heading, justify="left" if heading in ("rung", "case") else "right", no_wrap=True)
    return shown
