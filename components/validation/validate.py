"""The stage `validate`: nothing is trained on data that breaks an expectation.

The verdict is a pure function of the data; the data docs, which carry the time, are no part of it.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.artifacts import staged, write_json, write_manifest
from components.errors import ValidationFailed
from components.params import TaskConfig, ValidateConfig
from components.run import Metrics, Run
from components.validation.expect import Finding, judge
from components.validation.tables import Table, corpus_table, held_out_texts, task_tables

DOCS = Path("reports/validation")
SHOWN = 3
Findings = dict[str, list[Finding]]


def validate(
    config: ValidateConfig,
    tasks: dict[str, TaskConfig],
    corpus: Path,
    labelled: Path,
    verdict: Path,
    run: Run,
) -> Metrics:
    """The data docs, and the verdict beside them, go to reports/validation whatever the verdict.

    Raises ValidationFailed naming each broken expectation, how many rows broke it and some of them.
    """
    tables = [corpus_table(corpus, held_out_texts(labelled, tasks)), *task_tables(labelled, tasks)]
    findings = judge(tables, config, DOCS)
    content = _verdict(findings)
    write_json(DOCS / "verdict.json", content)
    run.log_files(DOCS, "validation")
    if not content["success"]:
        raise ValidationFailed(
            _complaint(findings, tables), f"see {DOCS / 'index.html'}; thresholds: params.yaml, `validate:`"
        )
    with staged(verdict) as target:
        write_json(target / "verdict.json", content)
        write_manifest(target, "verdict", {"corpus": corpus} | {f"task_{name}": labelled / name for name in tasks})
    count = sum(map(len, findings.values()))
    run.say(f"{count} expectations of {len(findings)} suites hold; data docs: {DOCS / 'index.html'}")
    return {"suites": len(findings), "expectations": count, "rows": {table.name: len(table.frame) for table in tables}}


def _verdict(findings: Findings) -> dict[str, Any]:
    return {
        "success": all(one.success for suite in findings.values() for one in suite),
        "suites": {name: [asdict(one) for one in suite] for name, suite in findings.items()},
    }


def _complaint(findings: Findings, tables: list[Table]) -> str:
    """One line for each broken expectation."""
    rows = {table.name: len(table.frame) for table in tables}
    lines = [
        f"{name}: {_broken(one, rows[name])}" for name, suite in findings.items() for one in suite if not one.success
    ]
    return "\n".join(lines)


def _broken(finding: Finding, rows: int) -> str:
    subject = f"{finding.expectation} on `{finding.column}`" if finding.column else finding.expectation
    if not finding.unexpected_count:
        return f"expected: {finding.rule}; found {finding.observed} in {rows:,} rows ({subject})"
    examples = "; ".join(_shown(example, finding.column) for example in finding.examples[:SHOWN])
    return f"expected: {finding.rule}; broken by {finding.unexpected_count:,} of {rows:,} rows ({subject}): {examples}"


def _shown(example: dict[str, Any], column: str) -> str:
    """A row's id, what is wrong with it, and how its text begins."""
    text = " ".join(str(example.get("text") or "").split())[:40]
    value = "" if column in ("id", "text", "fingerprint") else f" {column}={example.get(column)!r}"
    return f"{example.get('id')}{value} “{text}”"
