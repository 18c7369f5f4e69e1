"""The one form of a benchmark's result: a table for people, a JSON file for the record.

benchmarks/results/NAME.json: {"figures": {figure: {ours, peer, ratio, goal, unit}}, "machine": …, "versions": …}.
Seconds of different runs compare only within one file: everything in it was measured in turn.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from components.artifacts import write_json
from components.machine import machine, versions

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One comparison, of what is better small: `ratio` is peer/ours, above 1 we are ahead; `goal` is of the ratio.

    `rounds`: the lowest and the highest ratio of a round, where there were several.
    """

    ours: float
    peer: float
    unit: str
    goal: float | None = None
    rounds: tuple[float, float] | None = None

    @property
    def ratio(self) -> float:
        return self.peer / self.ours

    def row(self) -> dict[str, Any]:
        found = asdict(self) | {"ratio": self.ratio}
        rounds = found.pop("rounds")
        row = {name: _rounded(value) for name, value in found.items()}
        return row | ({"rounds": [_rounded(ratio) for ratio in rounds]} if rounds else {})


def report(name: str, figures: dict[str, Figure], packages: tuple[str, ...], note: str) -> None:
    """Print the table and write benchmarks/results/NAME.json."""
    show(figures, note)
    content = {
        "note": note,
        "figures": {label: figure.row() for label, figure in figures.items()},
        "machine": machine(),
        "versions": versions(packages),
    }
    write_json(RESULTS / f"{name}.json", content)


def median_round(ours: Sequence[float], peer: Sequence[float], unit: str, goal: float | None = None) -> Figure:
    """Of rounds in turn, the one with the median ratio, and the lowest and the highest ratio."""
    rounds = sorted((Figure(mine, theirs, unit, goal) for mine, theirs in zip(ours, peer, strict=True)), key=_ratio)
    return replace(rounds[len(rounds) // 2], rounds=(rounds[0].ratio, rounds[-1].ratio))


def paired_steps(ours: Sequence[float], peer: Sequence[float], goal: float | None = None) -> Figure:
    """Of the seconds of many steps in turn: our median in ms, the peer's by the median of the steps' ratios."""
    ratios = [theirs / mine for mine, theirs in zip(ours, peer, strict=True)]
    middle = 1e3 * median(ours)
    return Figure(middle, middle * median(ratios), "ms", goal, (min(ratios), max(ratios)))


def beside_goals(shipped: Mapping[str, Any], goals: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """What the shipped rung has of each goal, and what is wanted."""
    return {goal: {"goal": wanted, "shipped": shipped[goal]} for goal, wanted in goals.items()}


def recorded(name: str) -> dict[str, Figure]:
    """The figures of benchmarks/results/NAME.json; none where it is not there yet."""
    path = RESULTS / f"{name}.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["figures"] if path.is_file() else {}
    return {label: _figure(row) for label, row in rows.items()}


def show(figures: dict[str, Figure], note: str) -> None:
    """Print the table alone."""
    shown = Table(title=note, title_justify="left", box=None, pad_edge=False)
    for heading in ("figure", "ours", "peer", "ratio", "goal"):
        shown.add_column(heading, justify="left" if heading == "figure" else "right")
    for label, figure in figures.items():
        goal = "" if figure.goal is None else f"{figure.goal:g}"
        rounds = " ({:.2f}-{:.2f})".format(*figure.rounds) if figure.rounds else ""
        ours, peer = (f"{value:.4g} {figure.unit}" for value in (figure.ours, figure.peer))
        shown.add_row(label, ours, peer, f"{figure.ratio:.2f}{rounds}", goal)
    Console(highlight=False).print(shown)


def _figure(row: Mapping[str, Any]) -> Figure:
    rounds = row.get("rounds")
    return Figure(row["ours"], row["peer"], row["unit"], row["goal"], (rounds[0], rounds[1]) if rounds else None)


def _ratio(figure: Figure) -> float:
    return figure.ratio


def _rounded(value: object) -> float | str | None:
    return float(f"{value:.6g}") if isinstance(value, float | int) else value  # type: ignore[return-value]
