"""A table of thirty rows that meet every expectation of the corpus, in DuckDB; tests change a column each."""

from __future__ import annotations

import duckdb
import pandas as pd

from components.validation.measure import CORPUS_COLUMNS
from components.validation.tables import CORPUS_MEASURED, Table, quoted

GOOD: dict[str, list[object]] = {
    "id": [f"doc/{number}" for number in range(30)],
    "text": ["some text"] * 30,
    "source": ["doc"] * 30,
    "language": ["en"] * 15 + ["zh"] * 15,
    "licence": ["MIT"] * 30,
    "file": ["doc.txt"] * 30,
    "line": list(range(30)),
    "characters": list(range(9, 39)),
    "fingerprint": [f"{number:032x}" for number in range(30)],
    "script_fits": [True] * 30,
    "personal_data": [None] * 30,
    "held_out_in": [None] * 30,
}
TYPES = {"line": "BIGINT", "characters": "BIGINT", "script_fits": "BOOLEAN", "label_share": "DOUBLE"}
assert set(GOOD) == {*CORPUS_COLUMNS, *CORPUS_MEASURED}


def frame(**changed: list[object]) -> pd.DataFrame:
    """The thirty rows with some columns changed or, where None, left out."""
    return pd.DataFrame({name: values for name, values in (GOOD | changed).items() if values is not None})


def stored(database: duckdb.DuckDBPyConnection, rows: pd.DataFrame, name: str = "corpus", **details: object) -> Table:
    """Rows as a table that suites look at."""
    columns = ", ".join(f"{quoted(column)} {TYPES.get(column, 'VARCHAR')}" for column in rows)
    database.execute(f"CREATE OR REPLACE TABLE {quoted(name)} ({columns}, row BIGINT)")
    places = ", ".join("?" for _ in range(len(rows.columns) + 1))
    plain = rows.astype(object).where(rows.notna(), None)
    for number, values in enumerate(plain.itertuples(index=False)):
        database.execute(f"INSERT INTO {quoted(name)} VALUES ({places})", [*values, number])
    return Table(name, database, tuple(rows), len(rows), **details)  # type: ignore[arg-type]
