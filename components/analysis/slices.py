"""Slices: on which rows the candidate is worse than on the rest: long ones, those of a label, a language, a source.

A slice is all test rows with one value of one column, or with one value of each of two columns. Each is compared with
the other rows by two independent bootstraps (stratified, since a slice's size is known), or, where rows are right or
wrong, by Fisher's exact test; p-values are Holm's over all slices, so that among many of them one is not called worse
by chance.

Of pairs the largest are looked at, which is known before any answer is. A pair says something of its own only where it
differs from the rest of both of its slices too: long texts from one source are worse than others where that whole
source is. So its p-value is the largest of the three tests (Berger 1982, intersection-union).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from components.analysis.subject import Analysis, Subject, Table
from components.evaluation.differences import holm, right_rows, two_sided
from components.evaluation.metrics import Bootstrap, Interval
from components.tasks.metrics import Metric, Number
from components.tasks.task import Column, parts

if TYPE_CHECKING:
    from components.analysis.config import SlicesConfig

QUARTERS = 4
MOST_SENTENCES = 3
MOST_VALUES = 100
"""Of a column, the most frequent ones."""
DIGITS = 6
"""Of an end of a quarter that is not whole, where so many tell it from the others."""


@dataclass(frozen=True)
class Counted(Metric):
    """A metric whose statistics of every row [rows, k] are known; answers are then the numbers of rows."""

    metric: Metric
    rows: np.ndarray

    @property
    def name(self) -> str:
        return self.metric.name

    @property
    def title(self) -> str:
        return self.metric.title

    @property
    def larger_is_better(self) -> bool:
        return self.metric.larger_is_better

    @property
    def unit(self) -> str:  # type: ignore[override]
        return self.metric.unit

    @property
    def own_unit(self) -> bool:  # type: ignore[override]
        return self.metric.own_unit

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.rows[answers]
        return found

    def value(self, sums: np.ndarray) -> np.ndarray:
        return self.metric.value(sums)

    def improvement(self, before: Number, after: Number) -> Number:
        return self.metric.improvement(before, after)

    @property
    def is_mean(self) -> bool:
        """Whether it is the mean of a share of each row."""
        return not self.own_unit and self.rows.shape[1:] == (2,) and bool((self.rows[:, 1] == 1).all())

    @cached_property
    def right(self) -> np.ndarray | None:
        """Which rows are right, bool [rows]; None where the metric is not the share of them."""
        return right_rows(self.metric, self.rows)


class Chosen(NamedTuple):
    """Rows, bool [test rows], with one value of a column, or of two columns; `of`: then the slices of each of them."""

    name: str
    rows: np.ndarray
    column: str
    of: tuple[Chosen, ...] = ()


@dataclass(frozen=True)
class Slice:
    """Rows, bool [test rows], and how the candidate does there.

    score: by the task's first metric; None where that is a mean over labels and all rows have the same one. gap: how
    much better than on the rest by `measure`, negative where worse. adjusted: p by Holm's correction.
    """

    name: str
    rows: np.ndarray
    score: Interval | None
    measured: float
    gap: float
    low: float
    high: float
    p: float
    adjusted: float = 1.0

    @property
    def size(self) -> int:
        return int(self.rows.sum())


def analyze(config: SlicesConfig, subject: Subject) -> Analysis | None:
    """Compare every slice of at least `min_rows` rows, with as many rows outside, with the rest of the test rows."""
    single = [
        one
        for one in slices_of(config.columns, subject, config.min_rows)
        if config.min_rows <= one.rows.sum() <= len(one.rows) - config.min_rows
    ]
    if not single:
        return None
    chosen = [*single, *pairs_of(single, config.pairs, config.min_rows)]
    task, targets = subject.task, subject.test.targets
    counted = [Counted(metric, metric.statistics(targets, subject.answers)) for metric in task.metrics]
    measure = measure_of(counted)
    found = [_compared(one, measure, counted[0], subject) for one in chosen]
    adjusted = holm([one.p for one in found]).tolist()
    found = [replace(one, adjusted=p) for one, p in zip(found, adjusted, strict=True)]
    level = 1 - subject.confidence

    def worst_first(one: Slice) -> tuple[bool, float]:
        return not (one.gap < 0 and one.adjusted < level), one.gap

    found.sort(key=worst_first)
    worse = [one for one in found if not worst_first(one)[0]]
    worst = found[0]
    metrics = {
        "compared": len(found),
        "pairs": len(chosen) - len(single),
        "worse": len(worse),
        "worst": worst.name,
        # For a gate: the largest gap that is more than chance, else 0, as of groups of people.
        "worst_gap": round(worst.gap, 6) if worse else 0.0,
        **{f"worst_{name}": round(getattr(worst, name), 6) for name in ("low", "high", "size")},
    }
    return Analysis(
        metrics,
        tuple(_sentences(worse, found, measure)),
        {"Slices": _table(found, measure, task.metrics[0].title)},
    )


def measure_of(metrics: Sequence[Counted]) -> Counted:
    """What slices are compared by: the first metric that is a mean over rows, else the first of all. A mean over labels
    (macro-F1) says little of rows that have few of the labels."""
    return next((one for one in metrics if one.is_mean), metrics[0])


def slices_of(columns: Sequence[str], subject: Subject, min_rows: int = 0) -> Iterator[Chosen]:
    """Every value of every column that has `min_rows` rows, and as many outside, and the quarters by length."""
    lengths = np.array([sum(map(len, parts(text))) for text in subject.test.texts])
    yield from _quarters("characters", lengths)
    task = subject.task
    if task.row_columns.get(task.target) in (Column.LABEL, Column.LABELS):
        classes = [set(task.classes(row[task.target])) for row in subject.columns]
        for label in sorted(set().union(*classes)):
            yield Chosen(f"{task.target} {label}", np.array([label in given for given in classes]), task.target)
    for column in columns:
        if column != task.target:
            yield from _by_column(column, [row.get(column) for row in subject.columns], min_rows)


def pairs_of(single: Sequence[Chosen], most: int, min_rows: int) -> list[Chosen]:
    """At most so many slices by two columns, the largest, in the order of their columns: with `min_rows` rows, and as
    many of each of the two that are not in the other, else it is nearly one of them."""
    if not most:
        return []
    rows = np.array([one.rows for one in single], dtype=np.float32)
    sizes = rows.sum(axis=1)
    both = rows @ rows.T
    columns = np.unique([one.column for one in single], return_inverse=True)[1]
    rest = np.minimum(sizes[:, None], sizes) - both
    possible = np.triu(columns[:, None] != columns) & (both >= min_rows) & (rest >= min_rows)
    places = np.argwhere(possible)
    largest = np.sort(np.argsort(-both[possible], kind="stable")[:most])
    found = []
    for one, other in ((single[first], single[second]) for first, second in places[largest].tolist()):
        name, column = (f"{mine} and {its}" for mine, its in ((one.name, other.name), (one.column, other.column)))
        found.append(Chosen(name, one.rows & other.rows, column, (one, other)))
    return found


def _by_column(column: str, values: Sequence[Any], min_rows: int) -> Iterator[Chosen]:
    counts = Counter(value for value in values if _is_plain(value))
    # Of a table of text a missing number is an empty cell.
    numbers = {value: number for value in counts if value != "" and (number := _number(value)) is not None}
    if len(numbers) == len(counts) - ("" in counts) and len(set(numbers.values())) > QUARTERS:
        yield from _quarters(
            column, np.array([numbers[one] if _is_plain(one) and one in numbers else np.nan for one in values])
        )
        return
    kept = [value for value, count in counts.most_common() if min_rows <= count <= len(values) - min_rows]
    places = {value: place for place, value in enumerate(sorted(kept[:MOST_VALUES], key=str))}
    found = np.array([places.get(one, -1) if _is_plain(one) else -1 for one in values])
    for value, place in places.items():
        yield Chosen(f"{column} {value}", found == place, column)


def _number(value: str | float) -> float | None:
    """A finite number, also one that is written in a table of text; None where it is none, or a truth value."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def _is_plain(value: object) -> bool:
    """Whether rows can be told apart by it: no list, no nothing."""
    return isinstance(value, str | int | float) and value == value


def _quarters(name: str, values: np.ndarray) -> Iterator[Chosen]:
    """Rows by the quartiles of a number; fewer where many have the same."""
    ends = np.unique(np.nanquantile(values, np.linspace(0, 1, QUARTERS + 1), method="inverted_cdf"))
    limits = [float(end) for end in ends]
    for (low, begin), (high, end) in pairwise(zip(limits, _told_apart(limits), strict=True)):
        first = low == limits[0]
        rows = (values >= low if first else values > low) & (values <= high)
        yield Chosen(f"{name} {begin} to {end}" if first else f"{name} above {begin} to {end}", rows, name)


def _told_apart(ends: Sequence[float]) -> list[str]:
    """Whole numbers in full, years among them, others with as many digits as tell them apart."""
    if all(end.is_integer() and abs(end) < 1e15 for end in ends):
        return [f"{end:.0f}" for end in ends]
    told = ([f"{end:.{digits}g}" for end in ends] for digits in range(DIGITS, 18))
    return next(one for one in told if len(set(one)) == len(ends))


def _compared(chosen: Chosen, measure: Counted, first: Counted, subject: Subject) -> Slice:
    rows, target = chosen.rows, subject.task.target
    inside = _resampled(rows, subject, 0)
    mine = inside.values(measure, np.flatnonzero(rows))
    gaps = _gaps(mine, ~rows, measure, subject)
    low, high = np.percentile(gaps[1:], inside.tails)
    p = max(
        [_p(gaps, rows, ~rows, measure), *(_p_inside(gaps, mine, rows, one, measure, subject) for one in chosen.of)]
    )
    of_one_label = measure is not first and any(one.column == target for one in chosen.of or (chosen,))
    score = None if of_one_label else inside.interval(first, np.flatnonzero(rows))
    return Slice(chosen.name, rows, score, float(mine[0]), float(gaps[0]), float(low), float(high), p)


def _p_inside(
    gaps: np.ndarray, mine: np.ndarray, rows: np.ndarray, one: Chosen, measure: Counted, subject: Subject
) -> float:
    """p-value of a pair being as good as the rest of one of its slices; 1 where it is worse than all others and better
    than these, or the other way round."""
    rest = one.rows & ~rows
    means = (measure.value(measure.rows[chosen].sum(axis=0)) for chosen in (rest, rows))
    if measure.improvement(*means) * gaps[0] <= 0:
        return 1.0
    inside = gaps if measure.right is not None else _gaps(mine, rest, measure, subject)
    return _p(inside, rows, rest, measure)


def _gaps(mine: np.ndarray, rest: np.ndarray, measure: Counted, subject: Subject) -> np.ndarray:
    """How much better a slice is than the rest [1 + samples], from its own resamples `mine`."""
    others = _resampled(rest, subject, 1).values(measure, np.flatnonzero(rest))
    found: np.ndarray = measure.improvement(others, mine)
    return found


def _resampled(rows: np.ndarray, subject: Subject, place: int) -> Bootstrap:
    return Bootstrap(
        subject.task, subject.test.targets[rows], subject.bootstrap_samples, subject.confidence, subject.seed + place
    )


def _p(gaps: np.ndarray, rows: np.ndarray, rest: np.ndarray, measure: Counted) -> float:
    """Two-sided p-value of a slice being as good as the rest: Fisher's exact test of rows being right as often, or that
    of the resamples."""
    if (hits := measure.right) is None:
        return two_sided(float(gaps[0]), float(np.std(gaps[1:], ddof=1)))
    from scipy.stats import fisher_exact

    table = [[int((hits & chosen).sum()), int((~hits & chosen).sum())] for chosen in (rows, rest)]
    return float(fisher_exact(table).pvalue)


def _sentences(worse: Sequence[Slice], found: Sequence[Slice], measure: Metric) -> Iterator[str]:
    title = measure.title
    for one in worse[:MOST_SENTENCES]:
        yield (
            f"worse where {one.name}: {title} {one.measured:.3f} on {one.size:,} rows, "
            f"{one.gap:+.3f} ({one.low:+.3f} to {one.high:+.3f}){measure.unit} beside the rest, "
            f"p = {one.adjusted:.2g} as one of {len(found)} slices"
        )
    if len(worse) > MOST_SENTENCES:
        yield f"also worse than the rest: {', '.join(one.name for one in worse[MOST_SENTENCES:])}"
    if not worse:
        one = found[0]
        yield (
            f"no slice of {len(found)} is shown to be worse than the rest; the lowest is {one.name}, {title} "
            f"{one.gap:+.3f} ({one.low:+.3f} to {one.high:+.3f}){measure.unit} beside the rest on {one.size:,} rows"
        )


def _table(found: Sequence[Slice], measure: Metric, first: str) -> Table:
    beside = f"beside the rest,{measure.unit}" if measure.unit else "beside the rest"
    header = ("rows where", "rows", first, "interval", measure.title, beside, "interval ", "p by Holm")
    return Table(
        header,
        tuple(
            (
                one.name,
                one.size,
                one.score.value if one.score else "–",
                f"{one.score.low:.3f} to {one.score.high:.3f}" if one.score else "–",
                one.measured,
                f"{one.gap:+.3f}",
                f"{one.low:+.3f} to {one.high:+.3f}",
                f"{one.adjusted:.2g}",
            )
            for one in found
        ),
    )
