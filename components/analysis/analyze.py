"""Analyze: how the candidate behaves on the test rows, as a page, a model card, metrics and tables to plot."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from components.analysis.card import write_card
from components.analysis.errors import confusions, mistakes
from components.analysis.headlines import headline_metrics
from components.analysis.page import Told, headlines, write_model_page
from components.analysis.subject import Analysis, Subject, Table, read_subject
from components.artifacts import read_manifest, write_json
from components.runtime.manifest import read_bundle
from components.tasks.rows import EVERY_ROW, LabelShare

if TYPE_CHECKING:
    from components.analysis.config import AnalyzeConfig
    from components.run import Metrics, Run
    from components.tasks.config import TaskConfig

ANALYSES: dict[str, str] = {
    "slices": "components.analysis.slices",
    "calibration": "components.analysis.calibration",
    "selective": "components.analysis.selective",
    "batches": "components.analysis.batches",
    "robustness": "components.analysis.robustness",
    "fairness": "components.analysis.fairness",
    "explanations": "components.analysis.explanations",
    "memorisation": "components.analysis.memorisation",
    "leakage": "components.analysis.leakage",
}
"""Name of an analysis, of its section in `analyze` and of its metrics -> its module, in the order of the page."""

FINDINGS = "findings.json"
"""What each analysis says, for programs: the gates of a release quote the first sentence."""


def analyze(
    config: AnalyzeConfig,
    task: TaskConfig,
    task_name: str,
    seed: int,
    rows: Path,
    given: Path,
    corpus: Path,
    student: Path,
    bundle: Path,
    evaluated: Path,
    reliability: Path,
    coverage: Path,
    report: Path,
    headline: Path,
    run: Run,
    share: LabelShare = EVERY_ROW,
) -> Metrics:
    """Ask every analysis that fits the task's kind, and write a page and a model card of the candidate into `report`.

    given: data/tasks/NAME, for columns beside the task's; evaluated: the metrics of `evaluate`; reliability, coverage:
    tables that `dvc plots` draws, without rows where the kind has none; headline: what `dvc metrics show` shows.
    """
    subject = read_subject(
        task_name,
        task.language,
        rows,
        given,
        corpus,
        student,
        bundle,
        share,
        seed,
        config.bootstrap_samples,
        config.confidence,
    )
    found = dict(analyses(config, subject))
    write_plots(found, reliability, coverage)
    told = tell(subject, found, rows, bundle, evaluated)
    write_report(report, told, run)
    write_json(headline, headline_metrics(told.evaluated, subject.task.metrics[0].name))
    counts = {"test_rows": len(subject.test.texts), "errors": len(told.mistakes)}
    return counts | {name: one.metrics for name, one in found.items()}


def analyses(config: AnalyzeConfig, subject: Subject) -> Iterator[tuple[str, Analysis]]:
    """What each analysis says that has something to say about a task of this kind."""
    for name, module in ANALYSES.items():
        if (found := import_module(module).analyze(getattr(config, name), subject)) is not None:
            yield name, found


def write_plots(found: Mapping[str, Analysis], reliability: Path, coverage: Path) -> None:
    """Write both tables, without rows where no analysis has one."""
    plots = {name: table for one in found.values() for name, table in one.plots.items()}
    write_table(reliability, plots.get("reliability", Table(("confidence", "accuracy"), ())))
    write_table(coverage, plots.get("risk_coverage", Table(("coverage", "risk"), ())))


def tell(subject: Subject, found: dict[str, Analysis], rows: Path, bundle: Path, evaluated: Path) -> Told:
    """All that the page and the card tell."""
    wrong = mistakes(subject)
    return Told(
        subject=subject,
        made=read_bundle(bundle),
        evaluated=json.loads(evaluated.read_text(encoding="utf-8")),
        found=found,
        mistakes=wrong,
        confusions=confusions(subject, wrong),
        rows={split: len(getattr(subject, split).texts) for split in ("train", "validation", "test")},
        notices=read_manifest(rows, "task").get("notices", []),
    )


def write_report(report: Path, told: Told, run: Run) -> None:
    """Write page, card and findings into `report`, log them, and say the headlines."""
    pictures = write_model_page(report / "index.html", told)
    write_card(report / "README.md", told)
    write_json(report / FINDINGS, {name: {"sentences": list(one.sentences)} for name, one in told.found.items()})
    for title, figure in pictures.items():
        run.log_figure(f"{title.lower().replace(' ', '_')}.png", figure)
    run.log_files(report, report.parent.name)
    for sentence in headlines(told):
        run.say(sentence)


def write_table(path: Path, table: Table) -> None:
    """Write a CSV file for `dvc plots`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table.header)
        writer.writerows(table.rows)
