"""`lianzi trace`: the lineage of a row, an answer, a model, a run or an artifact."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click

from components.errors import ParameterError
from flows.lineage.collect import collected
from flows.lineage.find import KNOWN, find_start
from flows.lineage.told import lineage_json, lineage_lines, lineage_of
from flows.settings import project_root

REQUESTS = Path(".lianzi/requests.jsonl")
"""Where `lianzi serve --log-requests` keeps requests by default; older ones beside it, with a number."""


@click.command("trace")
@click.argument("named", metavar="X")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option(
    "--picture", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Draw it: .svg, .html."
)
@click.option(
    "--openlineage", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Export OpenLineage events."
)
@click.option("--log", type=click.Path(path_type=Path), help="The server's log of requests, to find an answer in.")
def command(named: str, as_json: bool, picture: Path | None, openlineage: Path | None, log: Path | None) -> None:
    """Say what X was made from, up to the rows of the data, and what came of it, down to the servers that answer.

    X is a row (SOURCE/NAME, or TASK/SPLIT/NAME of a labelled row), an answer's x-request-id or x-lianzi-trace,
    TASK@VERSION, TASK@champion, an MLflow run's id, the folder of a bundle or of another artifact, or a digest.
    """
    show_lineage(project_root(), named, as_json, Outputs(picture, openlineage), log or REQUESTS)


PICTURES = (".svg", ".html")


@dataclass(frozen=True)
class Outputs:
    """Files to write beside what is printed; None for those not wanted."""

    picture: Path | None = None
    openlineage: Path | None = None


def show_lineage(root: Path, named: str, as_json: bool, outputs: Outputs, log: Path) -> None:
    """Print the lineage of a row, or of anything else with this name. Raises LianziError where there is none."""
    if outputs.picture and outputs.picture.suffix not in PICTURES:
        raise ParameterError(f"--picture {outputs.picture}: no picture of this kind", f"it is {' or '.join(PICTURES)}")
    graph = collected(root)
    logs = [*sorted((root / log.parent).glob(f"{log.name}.[0-9]"), reverse=True), root / log]
    start = find_start(root, graph, named, logs)
    if start is None:
        if "/" not in named:
            raise ParameterError(f"{named!r:.100}: nothing of this name is known here", f"X is {KNOWN}")
        from flows.lineage.rows import show_rows

        start = show_rows(root, graph, named, as_json)
    elif as_json:
        click.echo(json.dumps(lineage_json(lineage_of(graph, start), start), ensure_ascii=False))
    else:
        click.echo("\n".join(lineage_lines(graph, start)))
    own = lineage_of(graph, start)
    if outputs.picture:
        from flows.lineage.picture import write_picture

        write_picture(outputs.picture, own, start)
        click.echo(f"picture: {outputs.picture}", err=True)
    if outputs.openlineage:
        from flows.lineage.openlineage import write_events

        count = write_events(outputs.openlineage, own)
        click.echo(f"OpenLineage: {count} events in {outputs.openlineage}", err=True)
