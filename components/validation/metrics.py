"""The metrics that expectations ask for, computed by DuckDB instead of Great Expectations' own engines.

Great Expectations names each number a verdict depends on (`column_values.between.unexpected_count`, `table.row_count`);
here they are computed as its pandas engine defines them, all counts of a table in one scan, and no more rows read into
Python than are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from great_expectations.validator.metric_configuration import MetricConfiguration

from components.validation.tables import Table, quoted

SCANNED = 100
"""The largest number of conditions in one scan: beyond it, planning a query takes longer than running it."""
HASHED_ROWS = 2**24
"""The largest number of rows whose hashes are sorted at once: 8 bytes each."""


@dataclass
class TableMetrics:
    """The metrics of one table. At most `shown` rows that break an expectation are listed, with their `named_by`
    columns.
    """

    table: Table
    shown: int
    named_by: tuple[str, ...]
    _counts: dict[Condition, int] = field(default_factory=dict)
    _broken: dict[Condition, list[dict[str, Any]]] = field(default_factory=dict)
    _repeated: dict[str, str] = field(default_factory=dict)

    def count_ahead(self, wanted: Iterable[MetricConfiguration]) -> None:
        """Count the rows that break each of the coming conditions, many conditions in one scan."""
        new = list(dict.fromkeys(self._condition(one) for one in wanted if _map_metric(one) in CONDITIONS))
        for start in range(0, len(new), SCANNED):
            together = new[start : start + SCANNED]
            values = [value for one in together for value in one.values]
            [counts] = self.table.database.execute(self._counting(together), values).fetchall()
            self._counts |= zip(together, counts, strict=True)

    def _counting(self, conditions: Sequence[Condition]) -> str:
        """SQL for the counts of some conditions, in one row."""
        view = self.table.view
        if self.table.task:
            # The view joins and ranks rows: once for all conditions.
            return f"SELECT {', '.join(f'count(*) FILTER (WHERE {one.sql})' for one in conditions)} FROM {view}"
        # A condition by itself skips the row groups whose statistics rule it out, and reads one column of the others.
        counted = (one.counted or f"SELECT count(*) FROM {view} WHERE {one.sql}" for one in conditions)
        return f"SELECT {', '.join(f'({query})' for query in counted)}"

    def values(self, wanted: Iterable[MetricConfiguration]) -> dict[Any, Any]:
        """Metric id -> value. All counts were taken before."""
        return {one.id: self._value(one) for one in wanted}

    def _value(self, wanted: MetricConfiguration) -> Any:
        name = wanted.metric_name
        if name in TABLE_METRICS:
            return TABLE_METRICS[name](self, wanted)
        return BROKEN_BY[name.rpartition(".")[2]](self, self._condition(wanted))

    def _condition(self, wanted: MetricConfiguration) -> Condition:
        return CONDITIONS[_map_metric(wanted)](self, _column(wanted), wanted.metric_value_kwargs)

    def count(self, condition: Condition) -> int:
        return self._counts[condition]

    def broken_values(self, condition: Condition) -> list[Any]:
        """The values of the column in the first rows that break a condition."""
        return [row[condition.column] for row in self.broken_rows(condition)]

    def broken_rows(self, condition: Condition) -> list[dict[str, Any]]:
        """The first rows that break a condition: the value of its column and of the columns that name a row."""
        if condition not in self._broken:
            self._broken[condition] = self._first(condition) if self._counts[condition] else []
        return self._broken[condition]

    def _first(self, condition: Condition) -> list[dict[str, Any]]:
        names = [condition.column, *self._naming()]
        query = (
            f"SELECT {', '.join(map(quoted, names))} FROM {self.table.view} "
            f"WHERE {condition.sql} ORDER BY row LIMIT {self.shown}"
        )
        rows = self.table.database.execute(query, list(condition.values)).fetchall()
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _naming(self) -> tuple[str, ...]:
        return tuple(name for name in self.named_by if name in self.table.columns)

    def repeated(self, column: str) -> str:
        """The SQL name of a table of the values that stand more than once in a column; empty where there is none.

        It has the columns `value` and `times`.

        Equal values have equal hashes: where no hash comes twice no value does, and else only those rows are compared.
        """
        if column not in self._repeated:
            self._repeated[column] = self._repeated_values(column)
        return self._repeated[column]

    def _repeated_values(self, column: str) -> str:
        database, view, name = self.table.database, self.table.view, quoted(f"repeated {self.table.name} {column}")
        column = quoted(column)
        rounds = 1 + self.table.rows // HASHED_ROWS
        hashes = f"SELECT hash({column}) AS h FROM {view} WHERE {column} IS NOT NULL"
        suspects = [
            _twice(database.execute(f"SELECT h FROM ({hashes}) WHERE h % {rounds} = {turn}").fetchnumpy()["h"])
            for turn in range(rounds)
        ]
        found = np.concatenate(suspects)
        if not len(found):
            return ""
        database.register("suspects", {"h": found})
        database.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {column} AS value, count(*) AS times FROM {view} "
            f"WHERE hash({column}) IN (SELECT h FROM suspects) GROUP BY {column} HAVING count(*) > 1"
        )
        database.unregister("suspects")
        return name

    def value_counts(self, column: str) -> dict[Any, int]:
        """The frequency of each value of a column, without nulls."""
        column = quoted(column)
        query = f"SELECT {column}, count(*) FROM {self.table.view} WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 1"
        return dict(self.table.database.execute(query).fetchall())


@dataclass(frozen=True)
class Condition:
    """An SQL condition, with `values` for its parameters, that is true for the rows that break an expectation.

    `counted`: a query for their number, where one is known that does not scan the rows.
    """

    column: str
    sql: str
    values: tuple[Any, ...] = ()
    counted: str = ""


def _map_metric(wanted: MetricConfiguration) -> str:
    return wanted.metric_name.rpartition(".")[0]


def _column(wanted: MetricConfiguration) -> str:
    return str(wanted.metric_domain_kwargs["column"])


def _twice(hashes: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])


def _null(_: TableMetrics, column: str, __: Mapping[str, Any]) -> Condition:
    return Condition(column, f"{quoted(column)} IS NULL")


def _not_null(_: TableMetrics, column: str, __: Mapping[str, Any]) -> Condition:
    return Condition(column, f"{quoted(column)} IS NOT NULL")


def _outside(_: TableMetrics, column: str, kwargs: Mapping[str, Any]) -> Condition:
    below = (f"{quoted(column)} <{'=' if kwargs['strict_min'] else ''} ?", kwargs["min_value"])
    above = (f"{quoted(column)} >{'=' if kwargs['strict_max'] else ''} ?", kwargs["max_value"])
    sides = [side for side in (below, above) if side[1] is not None]
    return Condition(column, " OR ".join(sql for sql, _ in sides), tuple(value for _, value in sides))


def _not_in_set(_: TableMetrics, column: str, kwargs: Mapping[str, Any]) -> Condition:
    places = ", ".join("?" for _ in kwargs["value_set"])
    return Condition(column, f"{quoted(column)} NOT IN ({places})", tuple(kwargs["value_set"]))


def _repeated(metrics: TableMetrics, column: str, _: Mapping[str, Any]) -> Condition:
    repeated = metrics.repeated(column)
    if not repeated:
        return Condition(column, "false", counted="SELECT 0")
    found = f"{quoted(column)} IN (SELECT value FROM {repeated})"
    return Condition(column, found, counted=f"SELECT sum(times)::BIGINT FROM {repeated}")


def _quantiles(metrics: TableMetrics, wanted: MetricConfiguration) -> list[Any]:
    """The value nearest to each quantile, as pandas' interpolation='nearest' takes it."""
    counts = metrics.value_counts(_column(wanted))
    values, ends = list(counts), np.cumsum(list(counts.values()))
    if not values:
        return [None for _ in wanted.metric_value_kwargs["quantiles"]]
    places = np.rint(np.array(wanted.metric_value_kwargs["quantiles"]) * (ends[-1] - 1))
    return [values[place] for place in np.searchsorted(ends, places, side="right")]


def _unexpected_values(metrics: TableMetrics, wanted: MetricConfiguration) -> list[Any]:
    expected = set(wanted.metric_value_kwargs["value_set"])
    found = metrics.value_counts(_column(wanted))
    return sorted(set(found) - expected)[: wanted.metric_value_kwargs.get("limit")]


def _missing_values(metrics: TableMetrics, wanted: MetricConfiguration) -> list[Any]:
    found = metrics.value_counts(_column(wanted))
    return sorted(set(wanted.metric_value_kwargs["value_set"]) - set(found))[: wanted.metric_value_kwargs.get("limit")]


TABLE_METRICS: dict[str, Callable[[TableMetrics, MetricConfiguration], Any]] = {
    "table.row_count": lambda metrics, _: metrics.table.rows,
    "table.columns": lambda metrics, _: list(metrics.table.columns),
    "column.quantile_values": _quantiles,
    "column.distinct_values.not_in_set": _unexpected_values,
    "column.distinct_values.not_in_set.count": lambda metrics, wanted: len(_unexpected_values(metrics, wanted)),
    "column.distinct_values.missing_from_column": _missing_values,
    "column.distinct_values.missing_from_column.count": lambda metrics, wanted: len(_missing_values(metrics, wanted)),
}

CONDITIONS: dict[str, Callable[[TableMetrics, str, Mapping[str, Any]], Condition]] = {
    "column_values.nonnull": _null,
    "column_values.null": _not_null,
    "column_values.between": _outside,
    "column_values.in_set": _not_in_set,
    "column_values.unique": _repeated,
}

BROKEN_BY: dict[str, Callable[[TableMetrics, Condition], Any]] = {
    "unexpected_count": TableMetrics.count,
    "unexpected_values": TableMetrics.broken_values,
    "unexpected_index_list": TableMetrics.broken_rows,
    "unexpected_index_query": lambda metrics, condition: condition.sql,
}
