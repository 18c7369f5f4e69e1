"""The table of a suite as papers print it: a line a system, a column a part, the average as the suite defines it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from components.suites.suite import Suite, SuiteTask

Scores = Mapping[str, Mapping[str, float]]
"""Part's title -> metric -> value."""
SHORT = {
    "accuracy": "acc",
    "mcc": "MCC",
    "f1": "F1",
    "macro_f1": "F1",
    "f1a": "F1a",
    "exact_match": "EM",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "span_f1": "F1",
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge_1": "R-1",
    "rouge_2": "R-2",
    "rouge_l": "R-L",
    "gender_parity": "parity",
}
MISSING = "—"


def columns(suite: Suite) -> list[str]:
    return [part.title for task in suite.tasks for part in task.parts]


def task_average(task: SuiteTask, scores: Scores) -> float | None:
    """The mean over a task's metrics and parts, which counts once in the suite's; None where a part is missing."""
    found = [scores.get(part.title, {}) for part in task.parts]
    if not all(found):
        return None
    return fmean(
        fmean(value for name, value in one.items() if not task.average or name in task.average) for one in found
    )


def average(suite: Suite, scores: Scores) -> float | None:
    """The mean of the tasks' averages, without diagnostic sets; None while a task is missing, or the suite has none."""
    found = [task_average(task, scores) for task in suite.tasks if not task.trained_as]
    known = [one for one in found if one is not None]
    return fmean(known) if suite.averaged and len(known) == len(found) else None


def lines(suite: Suite, systems: Mapping[str, Scores]) -> list[list[str]]:
    """Header, metrics, and a line a system; shares times 100, with one digit."""
    titles = columns(suite)
    told = [
        next((" / ".join(map(_short, one[title])) for one in systems.values() if one.get(title)), "")
        for title in titles
    ]
    ends = ["average"] if suite.averaged else []
    found = [["system", *titles, *ends], ["", *told, *[""] * len(ends)]]
    for name, scores in systems.items():
        cells = [
            " / ".join(f"{100 * value:.1f}" for value in scores.get(title, {}).values()) or MISSING for title in titles
        ]
        whole = average(suite, scores)
        found.append([name, *cells, *([MISSING if whole is None else f"{100 * whole:.1f}"] if ends else [])])
    return found


def _short(metric: str) -> str:
    return SHORT.get(metric, metric)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The same as a table in Markdown, the metrics beside the titles."""
    header = [f"{title} ({metric})" if metric else title for title, metric in zip(rows[0], rows[1], strict=True)]
    text = [header, ["---"] * len(header), *rows[2:]]
    return "".join(f"| {' | '.join(row)} |\n" for row in text)
