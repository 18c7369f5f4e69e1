"""The drift of the data from the data accepted last.

A distribution is a count for each bin: of lengths, languages and sources of the corpus, of lengths and labels, or
entity types, of a task's split. The stage keeps today's distributions beside its verdict; `lianzi accept` copies them
to a file of its own and names it in params.yaml (`validate.accepted`), which makes it an input like any other.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

import duckdb

from components.errors import ArtifactError, ParameterError
from components.validation.tables import TYPES, Table

Distribution = dict[str, int]
Statistics = dict[str, dict[str, Distribution]]
"""Table -> dimension -> bin -> rows."""

SMALLEST_SHARE = 1e-4
"""The share of an empty bin, since the index takes the logarithm of a share."""
# Lengths in powers of two: the bin 64 holds 64 to 127 characters.
LENGTH = "CASE WHEN characters = 0 THEN 0 ELSE (1::BIGINT << floor(log2(characters))::INTEGER) END"
CORPUS_DIMENSIONS = {"length": LENGTH, "language": "language", "source": "source"}
TASK_DIMENSIONS = {"length": LENGTH, "label": "label"}
TYPE = f"unnest({TYPES})"
STATISTICS = "statistics.json"
COLUMNS = ("id", "text", "stability_index")


def statistics(tables: list[Table]) -> Statistics:
    """The distributions with which later data is compared."""
    return {table.name: _distributions(table) for table in tables}


def _distributions(table: Table) -> dict[str, Distribution]:
    # Numbers are hardly ever the same twice: their distribution has no bins to move between.
    of_task = TASK_DIMENSIONS if table.labels else {"length": LENGTH} | ({"type": TYPE} if table.tagged else {})
    dimensions = of_task if table.task else CORPUS_DIMENSIONS
    return {name: _distribution(table, sql) for name, sql in dimensions.items()}


def _distribution(table: Table, sql: str) -> Distribution:
    query = f"SELECT bin, count(*) FROM (SELECT ({sql})::VARCHAR AS bin FROM {table.view}) GROUP BY bin ORDER BY bin"
    return {name: count for name, count in table.database.execute(query).fetchall() if name is not None}


def drift_table(database: duckdb.DuckDBPyConnection, accepted: Statistics, now: Statistics) -> Table:
    """One row for each distribution that both have: its drift, and the bin that moved most."""
    rows = [
        (
            f"{name}/{dimension}",
            _most_moved(before, now[name][dimension]),
            stability_index(before, now[name][dimension]),
        )
        for name, dimensions in sorted(accepted.items())
        for dimension, before in sorted(dimensions.items())
        if dimension in now.get(name, {})
    ]
    database.execute("CREATE TABLE drift (id VARCHAR, text VARCHAR, stability_index DOUBLE, row BIGINT)")
    for number, row in enumerate(rows):
        database.execute("INSERT INTO drift VALUES (?, ?, ?, ?)", [*row, number])
    return Table("drift", database, COLUMNS, len(rows))


def stability_index(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """Population stability index, the sum of (q - p) ln(q / p) over the bins' shares.

    Below 0.1 hardly anything moved, above 0.25 much did (Siddiqi 2006, Credit Risk Scorecards).
    """
    total = 0.0
    for name in {*before, *now}:
        p, q = _share(before, name), _share(now, name)
        total += (q - p) * math.log(q / p)
    return round(total, 6)


def _share(counts: Mapping[str, int], name: str) -> float:
    return max(counts.get(name, 0) / max(sum(counts.values()), 1), SMALLEST_SHARE)


def _most_moved(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    names = sorted({*before, *now})
    if not names:
        return ""
    name = max(names, key=lambda one: abs(_share(now, one) - _share(before, one)))
    return f"{name}: {_share(before, name):.1%} then, {_share(now, name):.1%} now"


def accepted_name(content: bytes) -> str:
    """The name of a file of accepted statistics: a digest of its content, so that the name in params.yaml identifies
    it.
    """
    return f"{hashlib.sha256(content).hexdigest()[:16]}.json"


def read_accepted(path: Path) -> Statistics:
    """The statistics of the accepted data. Raises ParameterError for a missing, ArtifactError for a changed file."""
    try:
        content = path.read_bytes()
    except OSError:
        raise ParameterError(
            f"params.yaml: validate.accepted: {path}: no such file",
            "`git checkout` it, run `lianzi accept`, or set it to null to check no drift",
        ) from None
    if path.name != accepted_name(content):
        raise ArtifactError(
            f"{path}: changed since it was accepted: its content is {accepted_name(content)}",
            "`git checkout` it, or run `lianzi accept`",
        )
    found: Statistics = json.loads(content)["tables"]
    return found
