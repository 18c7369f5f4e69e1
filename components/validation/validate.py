"""The stage `validate`: no model is trained on data that breaks an expectation.

The verdict is a pure function of the data, and so are the data docs, an output of their own on which no stage depends.
Drift is in the docs alone: otherwise `lianzi accept` would change an input of all later stages.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.artifacts import of_kind, write_json, write_manifest
from components.corpus.config import ValidateConfig
from components.errors import ValidationFailed
from components.run import Metrics, Run
from components.staging import staged
from components.tasks.config import TaskConfig
from components.validation.drift import STATISTICS, drift_table, read_accepted, statistics
from components.validation.tables import Table, measured_tables

if TYPE_CHECKING:
    from components.validation.expect import Finding

SHOWN = 3
Findings = dict[str, list["Finding"]]


def validate(
    config: ValidateConfig,
    tasks: dict[str, TaskConfig],
    corpus: Path,
    labelled: Path,
    verdict: Path,
    docs: Path,
    run: Run,
) -> Metrics:
    """Validate the data; data docs and verdict are written whatever the result.

    Raises ValidationFailed naming each broken expectation, how many rows broke it and some of them.
    """
    accepted = read_accepted(Path(config.accepted)) if config.accepted else None
    scratch = verdict.with_name(f".{verdict.name}.measured")
    # Great Expectations takes seconds to import: that overlaps with the measuring in other processes.
    with ThreadPoolExecutor(1) as beside:
        expect = beside.submit(import_module, "components.validation.expect")
        with measured_tables(corpus, labelled, tasks, scratch) as tables:
            now = statistics(tables)
            drift = [] if accepted is None else [drift_table(tables[0].database, accepted, now)]
            findings: Findings = expect.result().judge([*tables, *drift], config, docs)
            moved = dict(row for table in drift for row in _moved(table))
    write_json(docs / "verdict.json", _verdict(findings))
    run.log_files(docs, "validation")
    if broken := _complaint(findings, {table.name: table.rows for table in (*tables, *drift)}):
        raise ValidationFailed(broken, f"see {docs / 'index.html'}; thresholds: params.yaml, `validate:`")
    with staged(verdict, of_kind("verdict")) as target:
        write_json(target / "verdict.json", _verdict({name: findings[name] for name in now}))
        write_json(target / STATISTICS, {"tables": now})
        write_manifest(target, "verdict", {"corpus": corpus} | {f"task_{name}": labelled / name for name in tasks})
    _report(run, docs, findings, moved if drift else None)
    return {
        "suites": len(findings),
        "expectations": sum(map(len, findings.values())),
        "rows": {table.name: table.rows for table in tables},
        "drift": moved,
    }


def _moved(table: Table) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = table.database.execute(f"SELECT id, stability_index FROM {table.view}").fetchall()
    return found


def _report(run: Run, docs: Path, findings: Findings, moved: dict[str, float] | None) -> None:
    count = sum(map(len, findings.values()))
    run.say(f"{count} expectations of {len(findings)} suites hold; data docs: {docs / 'index.html'}")
    if moved is None:
        run.say("drift was not checked: no data is accepted yet (`lianzi accept`)")
    elif moved:
        name = max(moved, key=lambda one: moved[one])
        run.say(f"drift from the accepted data: {moved[name]:.3f} at most, of {name}")


def _verdict(findings: Findings) -> dict[str, Any]:
    return {
        "success": all(one.success for suite in findings.values() for one in suite),
        "suites": {name: [asdict(one) for one in suite] for name, suite in findings.items()},
    }


def _complaint(findings: Findings, rows: dict[str, int]) -> str:
    """One line for each broken expectation."""
    lines = [
        f"{name}: {_broken(one, rows[name])}" for name, suite in findings.items() for one in suite if not one.success
    ]
    return "\n".join(lines)


def _broken(finding: Finding, rows: int) -> str:
    subject = f"{finding.expectation} on `{finding.column}`" if finding.column else finding.expectation
    if not finding.examples:
        return f"expected: {finding.rule}; found {finding.observed} in {rows:,} rows ({subject})"
    examples = "; ".join(_shown(example, finding.column) for example in finding.examples[:SHOWN])
    return f"expected: {finding.rule}; broken by {finding.unexpected_count:,} of {rows:,} rows ({subject}): {examples}"


def _shown(example: dict[str, Any], column: str) -> str:
    """A row's id, its wrong value, and the beginning of its text."""
    text = " ".join(str(example.get("text") or "").split())[:40]
    value = "" if column in ("id", "text", "fingerprint") else f" {column}={example.get(column)!r}"
    return f"{example.get('id')}{value} “{text}”"
