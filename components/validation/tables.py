"""The tables that the suites look at: measured rows in parquet, seen through DuckDB views in bounded memory.

Beside a row's own columns and what `measure` found stand what follows from other rows:

- `held_out_in`: the held-out split the text also stands in, such as `topic/test`; null where in none
- `other_label`: another label that the same text has in the task; null where it has none (labelled rows only)
- `label_share`: the share of the table's rows that have this row's label, or of its entities that are of the rarest
  type among this row's (labelled rows only)

The label of a row with tags is all of them, a blank between two.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from components.artifacts import read_manifest
from components.corpus.documents import SPLITS, shard_paths
from components.engine import Engine, InProcess, open_engine
from components.tasks.config import TaskConfig
from components.validation.measure import (
    CORPUS_COLUMNS,
    MEASURES,
    TASK_COLUMNS,
    MeasuredPart,
    Part,
    measure_shard,
    measure_split,
)

MEMORY = "600MB"
"""The memory limit of DuckDB; beyond it, DuckDB writes to its folder."""
SMALL = 2**26
"""The number of bytes that one process measures in the seconds that other processes need to start."""
HELD_OUT = ("test", "validation")
TASK_SPLITS = (*HELD_OUT, "train")
CORPUS_MEASURED = (*MEASURES.names, "held_out_in")
TASK_MEASURED = (*MEASURES.names, "held_out_in", "other_label", "label_share")

LABEL_SHARES = "SELECT row, count(*) OVER (PARTITION BY label) / count(*) OVER () AS label_share FROM {rows}"
TYPES = "list_filter(string_split(label, ' '), lambda tag: starts_with(tag, 'B-'))"
"""One tag for each entity of a row, its first: tags are in BIO."""
TYPE_SHARES = f"""WITH types AS (SELECT row, unnest({TYPES}) AS type FROM {{rows}}),
    shares AS (SELECT type, count(*) / sum(count(*)) OVER () AS share FROM types GROUP BY type)
    SELECT row, min(share) AS label_share FROM types JOIN shares USING (type) GROUP BY row"""


@dataclass(frozen=True)
class Table:
    """What one suite looks at: the view `name` of `database`, of which `columns` are the rows' own and the measured.

    `task` is the task's name and `labels` are its labels, none where its rows have numbers or tags, and `tagged` says
    which of the two; other tables have none of these.
    """

    name: str
    database: duckdb.DuckDBPyConnection
    columns: tuple[str, ...]
    rows: int
    task: str = ""
    split: str = ""
    labels: tuple[str, ...] = ()
    tagged: bool = False

    @property
    def view(self) -> str:
        return quoted(self.name)


@contextmanager
def measured_tables(
    corpus: Path, labelled: Path, tasks: Mapping[str, TaskConfig], scratch: Path
) -> Iterator[list[Table]]:
    """The corpus, both splits in one table, and each split of each task; `scratch` keeps the measured rows to the end.

    Raises ArtifactError for missing or damaged data.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with open_database(scratch / "spill") as database, _engine(corpus, labelled) as engine:
            read_manifest(corpus, "corpus")
            targets = {name: _targets(labelled / name) for name in sorted(tasks)}
            splits = _measured_splits(database, engine, labelled, tasks, scratch)
            documents = _measured_corpus(database, engine, corpus, scratch)
            yield [
                _corpus_table(database, documents, list(targets)),
                *(
                    _task_table(database, splits[name, split], name, split, *targets[name])
                    for name in targets
                    for split in TASK_SPLITS
                ),
            ]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _targets(folder: Path) -> tuple[tuple[str, ...], bool]:
    """The labels of a task's rows, none for numbers and tags, and whether they have tags."""
    made = read_manifest(folder, "task")
    # Not by the kind's class: a new kind would make the verdict stale.
    columns = made.get("columns", {"label": "label"})
    return tuple(made["labels"]) if columns.get("label") == "label" else (), "tags" in columns


def _texts(folder: Path) -> tuple[str, ...]:
    """The columns of a task's rows that are texts."""
    columns = read_manifest(folder, "task").get("columns", {})
    return tuple(name for name, column in columns.items() if column in ("text", "choices")) or ("text",)


@contextmanager
def open_database(spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory that spills to `spill` and fetches nothing."""
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": MEMORY,
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    with duckdb.connect(config=settings) as database:
        database.execute("SET enable_progress_bar = false")
        yield database


def _engine(*folders: Path) -> AbstractContextManager[Engine]:
    """The engine of the environment, or this process where starting others takes longer than the work."""
    size = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    return open_engine() if size > SMALL else nullcontext(InProcess())


def quoted(name: str) -> str:
    """A name, quoted for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text, quoted for SQL."""
    return "'" + text.replace("'", "''") + "'"


def _measured_corpus(
    database: duckdb.DuckDBPyConnection, engine: Engine, corpus: Path, scratch: Path
) -> tuple[str, ...]:
    """Create the view `measured corpus`; returns the columns of its rows."""
    shards = [(path, split) for split in SPLITS for path in shard_paths(corpus, split)]
    parts = [
        Part(path, scratch / f"corpus-{number:05}.parquet", number, split)
        for number, (path, split) in enumerate(shards)
    ]
    return _view(database, "measured corpus", list(engine.map(measure_shard, parts)))


def _measured_splits(
    database: duckdb.DuckDBPyConnection,
    engine: Engine,
    labelled: Path,
    tasks: Mapping[str, TaskConfig],
    scratch: Path,
) -> dict[tuple[str, str], tuple[str, ...]]:
    """Create a view `measured TASK_SPLIT` for each split of each task; returns the columns of their rows."""
    names = [(name, split) for name in sorted(tasks) for split in TASK_SPLITS]
    texts = {name: _texts(labelled / name) for name in tasks}
    parts = [
        Part(
            labelled / name / f"{split}.jsonl",
            scratch / f"{name}-{split}.parquet",
            0,
            split,
            tasks[name].language,
            texts[name],
        )
        for name, split in names
    ]
    measured = engine.map(measure_split, parts)
    return {
        (name, split): _view(database, f"measured {name}_{split}", [found])
        for (name, split), found in zip(names, measured, strict=True)
    }


def _view(database: duckdb.DuckDBPyConnection, name: str, parts: Sequence[MeasuredPart]) -> tuple[str, ...]:
    files = ", ".join(literal(str(part.target)) for part in parts)
    database.execute(f"CREATE VIEW {quoted(name)} AS SELECT * FROM read_parquet([{files}])")
    return tuple(dict.fromkeys(column for part in parts for column in part.columns))


def _corpus_table(database: duckdb.DuckDBPyConnection, columns: tuple[str, ...], tasks: Sequence[str]) -> Table:
    places = [(f"{name}/{split}", f"measured {name}_{split}", "true") for split in HELD_OUT for name in tasks]
    places.append(("corpus/validation", "measured corpus", "split = 'validation'"))
    _held_out(database, "corpus", places, "m.split = 'train' OR h.place <> 'corpus/validation'")
    database.execute(
        """CREATE VIEW "corpus" AS SELECT m.*, h.held_out_in FROM "measured corpus" m
        LEFT JOIN "held out corpus" h ON h.row = m.row"""
    )
    return _table(database, "corpus", _ordered(columns, CORPUS_COLUMNS, CORPUS_MEASURED))


def _task_table(
    database: duckdb.DuckDBPyConnection,
    columns: tuple[str, ...],
    task: str,
    split: str,
    labels: tuple[str, ...],
    tagged: bool,
) -> Table:
    name = f"{task}_{split}"
    above = HELD_OUT[: TASK_SPLITS.index(split)]
    places = [(f"{task}/{held}", f"measured {task}_{held}", "true") for held in above]
    _held_out(database, name, places, "true")
    _other_labels(database, name, task)
    database.execute(
        f"""CREATE VIEW {quoted(name)} AS
        SELECT m.*, h.held_out_in, o.other_label, s.label_share FROM {quoted(f"measured {name}")} m
        LEFT JOIN {quoted(f"held out {name}")} h ON h.row = m.row
        LEFT JOIN {quoted(f"other {name}")} o ON o.row = m.row
        LEFT JOIN ({(TYPE_SHARES if tagged else LABEL_SHARES).format(rows=quoted(f"measured {name}"))}) s
        ON s.row = m.row"""
    )
    table = _table(database, name, _ordered(columns, TASK_COLUMNS, TASK_MEASURED), task, split, labels)
    return replace(table, tagged=tagged)


def _table(
    database: duckdb.DuckDBPyConnection,
    name: str,
    columns: tuple[str, ...],
    task: str = "",
    split: str = "",
    labels: tuple[str, ...] = (),
) -> Table:
    [[rows]] = database.execute(f"SELECT count(*) FROM {quoted(f'measured {name}')}").fetchall()
    return Table(name, database, columns, rows, task, split, labels)


def _ordered(found: tuple[str, ...], own: Sequence[str], measured: Sequence[str]) -> tuple[str, ...]:
    """The columns in the expected order, then any others."""
    return tuple(dict.fromkeys([*(name for name in own if name in found), *measured, *found]))


def _held_out(
    database: duckdb.DuckDBPyConnection, name: str, places: Sequence[tuple[str, str, str]], condition: str
) -> None:
    """The rows whose text is also in one of `places` (name, view, condition), with the first of them."""
    held = " UNION ALL ".join(
        f"SELECT fingerprint, {literal(place)} AS place, {rank} AS rank FROM {quoted(view)} WHERE {where}"
        for rank, (place, view, where) in enumerate(places)
    )
    held = held or "SELECT NULL::VARCHAR AS fingerprint, NULL::VARCHAR AS place, 0 AS rank WHERE false"
    database.execute(
        f"""CREATE TABLE {quoted(f"held out {name}")} AS
        SELECT m.row, arg_min(h.place, h.rank) AS held_out_in FROM {quoted(f"measured {name}")} m
        JOIN ({held}) h ON h.fingerprint = m.fingerprint WHERE {condition} GROUP BY m.row"""
    )


def _other_labels(database: duckdb.DuckDBPyConnection, name: str, task: str) -> None:
    """The rows whose text has another label in the task, with the first such label."""
    everywhere = " UNION ALL ".join(
        f"SELECT fingerprint, label FROM {quoted(f'measured {task}_{split}')}" for split in TASK_SPLITS
    )
    database.execute(
        f"""CREATE TABLE {quoted(f"other {name}")} AS
        SELECT m.row, min(d.label) AS other_label FROM {quoted(f"measured {name}")} m
        JOIN (SELECT DISTINCT fingerprint, label FROM ({everywhere}) WHERE fingerprint IN
                (SELECT fingerprint FROM ({everywhere}) GROUP BY fingerprint HAVING min(label) <> max(label))) d
        ON d.fingerprint = m.fingerprint AND d.label <> m.label GROUP BY m.row"""
    )
