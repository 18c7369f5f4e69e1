"""`lianzi accept` and `lianzi drift`: compare later data, and the requests of a server, with the training data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click
import duckdb

from components.artifacts import verify
from components.errors import DataError, ParameterError, first_line
from components.params import load_params
from components.validation.drift import LENGTH, STATISTICS, Distribution, accepted_name, drift_table
from components.validation.tables import literal, open_database
from flows.settings import change_params, project_root

ACCEPTED = Path("metrics/accepted")
COLUMNS = {"model": "VARCHAR", "text": "VARCHAR", "answer": "VARCHAR", "status": "INTEGER"}
DIMENSIONS = {"length": LENGTH, "label": "answer"}


@click.command("accept")
def accept() -> None:
    """Accept the validated data: later data is checked for drift against it."""
    for line in accept_data(project_root()):
        click.echo(line)


@click.command("drift")
@click.argument("log", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("task")
def drift(log: Path, task: str) -> None:
    """Compare all requests in LOG, kept by `lianzi serve --log-requests`, with the training rows of TASK, once.

    Lengths and labels, by the population stability index: below 0.1 hardly anything moved, above 0.25 much did. To look
    at a server's requests again and again, at a rate of false alarms, and to act on drift: `lianzi watch`.
    """
    rows, found = request_drift(project_root(), log, task)
    click.echo(f"{rows} rows of {task} in {log}, beside its training rows")
    for one in found:
        click.echo(f"{one.dimension:8} {one.index:8.3f}  {one.most}{'  more than max_drift' * one.too_much}")


def accept_data(root: Path) -> list[str]:
    """Save the statistics of the validated data under their digest and name them in params.yaml. Returns a line for
    each change.

    Raises ArtifactError where nothing was validated, or its verdict was changed since.
    """
    verdict = root / "artifacts" / "validation"
    verify(verdict, "verdict")
    content = (verdict / STATISTICS).read_bytes()
    path = ACCEPTED / accepted_name(content)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)
    return [
        f"{path}: statistics of the data; commit it",
        *change_params(root / "params.yaml", (f"validate.accepted={path.as_posix()}",)),
    ]


@dataclass(frozen=True)
class Moved:
    """A distribution: its stability index, the bin that moved most, and whether it exceeds the limit of params.yaml."""

    dimension: str
    index: float
    most: str
    too_much: bool


def request_drift(root: Path, log: Path, task: str) -> tuple[int, list[Moved]]:
    """The number of logged rows of the task's model, and their drift from the task's training rows.

    Lengths are of scrubbed texts, as in training; labels are the model's answers against the true ones, so a shift of
    labels alone may also be a bias of the model. Raises ArtifactError, DataError, ParameterError.
    """
    params = load_params(root / "params.yaml")
    if task not in params.tasks:
        raise ParameterError(f"'{task}' is no task of params.yaml", f"known: {', '.join(params.tasks)}")
    verify(root / "artifacts" / "validation", "verdict")
    content = (root / "artifacts" / "validation" / STATISTICS).read_text(encoding="utf-8")
    learnt = json.loads(content)["tables"][f"{task}_train"]
    with open_database(root / ".cache" / "spill") as database:
        asked = _asked(database, log, task)
        rows = sum(asked["length"].values())
        if not rows:
            raise DataError(f"{log}: no row of the model '{task}'", "lianzi serve --log-requests SHARE writes them")
        drift_table(database, {task: learnt}, {task: asked})
        found = database.execute("SELECT id, text, stability_index FROM drift ORDER BY row").fetchall()
    most = params.validation.max_drift
    return rows, [Moved(name.partition("/")[2], index, text, index > most) for name, text, index in found]


def _asked(database: duckdb.DuckDBPyConnection, log: Path, task: str) -> dict[str, Distribution]:
    source = f"read_json({literal(str(log))}, format = 'newline_delimited', columns = {COLUMNS})"
    try:
        database.execute(
            f"CREATE VIEW asked AS SELECT *, length(text) AS characters FROM {source} "
            f"WHERE model = {literal(task)} AND coalesce(status, 200) < 500"  # what a model failed has no answer
        )
        return {
            name: dict(
                database.execute(f"SELECT ({sql})::VARCHAR, count(*) FROM asked GROUP BY 1 ORDER BY 1").fetchall()
            )
            for name, sql in DIMENSIONS.items()
        }
    except duckdb.Error as error:
        raise DataError(f"{log}: not a request log: {first_line(error)}") from None
