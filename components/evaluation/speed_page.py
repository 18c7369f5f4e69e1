"""The ladder as one page and one picture: size against latency against quality, refused rungs with their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from components.evaluation.figures import ACCENT, GRID, INK, QUIET, TITLES, latency_figure
from components.evaluation.page import picture, section, table, write_html
from components.evaluation.rungs import system_of
from components.tasks.metrics import Metric

PICTURE = "ladder.png"


def write_speed_page(
    path: Path, found: Mapping[str, Any], scores: Mapping[str, Any], refused: Mapping[str, str], metric: Metric
) -> None:
    """Write the page and, beside it, the picture.

    `found`: the content of speed.json; `scores`: rung -> the metric with its interval, on test rows; `refused`: rung ->
    why its quality kept it out of the bundle; `metric`: the one that decides for the task.
    """
    figure = ladder_figure(found, scores, metric)
    target = found["target"]
    parts = [
        f"<h1>{escape(found['task'])}: the ladder on this machine</h1>",
        f"<p>{_ships(found)} <b>{escape(found['shipped'])}</b>: {escape(found['shipped_because'])}.</p>",
        picture(figure, f"Size against latency of every rung, with {metric.title}"),
        section("Rungs", _rungs(found, scores, refused, metric)),
        section("Milliseconds a call, and rows a second", _times(found)),
        '<p class="note">The rungs answered the same rows in turn, each on one thread, tokenizer included, after '
        f"{target['rounds']} rounds; short and full rows are the shortest and longest quarter of the test rows. A rung "
        f"is compared with the one above it that still stands, at {target['batch']} row(s) a call; it stands where the "
        f"whole {target['confidence']:.0%} interval of the speed-up, a bootstrap over the rounds, lies above "
        f"{target['min_speedup']:g}.</p>",
        *_systems(found["systems"], found["ladder"]),
        section("Machine", _machine(found["machine"])),
    ]
    write_html(path, f"{found['task']}: speed", parts)
    figure.savefig(path.parent / PICTURE, dpi=120)


def _ships(found: Mapping[str, Any]) -> str:
    return "Released: ships" if found["released"] else "Not released; a release on this machine would ship"


def _systems(latency: Mapping[str, Any], ladder: Sequence[str]) -> list[str]:
    """From the teacher down, where a bundle was timed beside the models that it came from."""
    if not latency:
        return []
    # The figure calls the float graph by its name among the systems.
    named = {system_of(name): latency[name] for name in ("teacher", "student", *ladder) if name in latency}
    shown = picture(latency_figure(named), "Latency of the models in PyTorch and of every rung")
    return [section("Beside the models in PyTorch", shown)]


def ladder_figure(found: Mapping[str, Any], scores: Mapping[str, Any], metric: Metric) -> Figure:
    """Megabytes across, milliseconds up, each rung with its score; hollow: refused; a line through what stands."""
    case = f"batch_{found['target']['batch']}_full"
    places = {name: (found["megabytes"][name], found["speed"][name][case]["p50"]) for name in found["ladder"]}
    figure = Figure(figsize=(8.2, 4.2), layout="constrained")
    axes = figure.subplots()
    standing = [name for name in found["ladder"] if found["verdicts"][name]["accepted"]]
    axes.plot(*zip(*(places[name] for name in standing), strict=True), color=ACCENT, linewidth=1.5, alpha=0.5, zorder=1)
    for number, name in enumerate(sorted(places, key=lambda name: places[name][1])):
        stands = name in standing
        color = ACCENT if stands else QUIET
        axes.plot(*places[name], "o", color=color, markersize=9, markerfacecolor=color if stands else "white")
        # In a column of their own: the rungs themselves lie close to each other.
        axes.annotate(
            _label(name, found, scores, metric),
            places[name],
            (1.04, (number + 0.5) / len(places)),
            textcoords="axes fraction",
            va="center",
            color=INK if stands else QUIET,
            fontsize=9,
            arrowprops={"arrowstyle": "-", "color": QUIET, "linewidth": 0.6, "shrinkA": 4, "shrinkB": 6},
        )
    largest, slowest = (max(place[axis] for place in places.values()) for axis in (0, 1))
    axes.set(xlim=(0, 1.1 * largest), ylim=(0, 1.2 * slowest), xlabel="megabytes")
    axes.set_ylabel(f"milliseconds a call of {found['target']['batch']}, median, full rows")
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _label(name: str, found: Mapping[str, Any], scores: Mapping[str, Any], metric: Metric) -> str:
    quality = f"\n{metric.title} {scores[name][metric.name]:.3f}" if name in scores else ""
    state = (", shipped" if found["released"] else ", would ship") if name == found["shipped"] else ""
    return name + (state if found["verdicts"][name]["accepted"] else ", refused") + quality


def _rungs(found: Mapping[str, Any], scores: Mapping[str, Any], refused: Mapping[str, str], metric: Metric) -> str:
    rows = []
    for name in found["ladder"]:
        verdict, score, peak = found["verdicts"][name], scores.get(name), found["memory_megabytes"][name]
        rows.append(
            [
                TITLES.get(name, name),
                f"{found['megabytes'][name]:.2f}",
                "" if peak is None else f"{peak:.0f}",
                _score(score, metric.name),
                _speed(verdict),
                ("stands: " if verdict["accepted"] else "refused: ") + verdict["reason"],
            ]
        )
    rows += [[TITLES.get(name, name), "", "", "", "", f"refused: {reason}"] for name, reason in refused.items()]
    return table(["rung", "MB", "peak memory, MB", f"{metric.title} on test rows", "speed", "verdict"], rows)


def _speed(verdict: Mapping[str, Any]) -> str:
    if "speed_up" not in verdict:
        return ""
    low, high = verdict["speed_up_low"], verdict["speed_up_high"]
    return f"{verdict['speed_up']:.2f} × {verdict['above']} ({low:.2f} – {high:.2f})"


def _score(score: Mapping[str, float] | None, name: str) -> str:
    if score is None:
        return ""
    return f"{score[name]:.4f} ({score[f'{name}_low']:.3f} – {score[f'{name}_high']:.3f})"


def _times(found: Mapping[str, Any]) -> str:
    # In an order of its own: read back from speed.json, the cases stand in the order of their names.
    every = sorted(next(iter(found["speed"].values())), key=_case_order)
    ladder = {name: place for place, name in enumerate(found["ladder"])}
    joules = found.get("joules_per_1000_rows", {})
    header = ["rung", *(case.replace("_", " ") for case in every), *(["joules, 1,000 rows"] if joules else [])]
    rows = [
        [
            name,
            *(
                f"{one['p50']:.2f} / {one['p95']:.2f} / {one['p99']:.2f}; {one['rows_per_second']:,.0f}"
                for one in (cases[case] for case in every)
            ),
            *([f"{joules[name]:.2f}"] if joules else []),
        ]
        for name, cases in sorted(
            found["speed"].items(), key=lambda entry: (ladder.get(entry[0], len(ladder)), entry[0])
        )
    ]
    return '<p class="note">p50 / p95 / p99; rows a second</p>' + table(header, rows)


def _case_order(case: str) -> tuple[int, bool]:
    """By rows a batch, short rows first; a case is called batch_8_short."""
    _, rows, kind = case.split("_")
    return int(rows), kind != "short"


def _machine(described: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(described["versions"].items()))
    rows = [
        ["processor", f"{described['processor']}, {described['cores']} cores"],
        ["instructions", " ".join(described["instructions"])],
        ["software", f"{described['system']}, Python {described['python']}, {versions}"],
    ]
    return table(["", ""], rows)
