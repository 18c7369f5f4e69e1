"""components.analysis.analyze."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.analysis.analyze import ANALYSES, FINDINGS, analyze, write_table
from components.analysis.subject import Table
from components.artifacts import write_json
from components.params import Params
from components.run import RecordedRun
from tests.analysis.test_page import evaluated
from tests.small_ladder import TASK, Ladder


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_page_a_card_and_every_plot_are_there(ladder: Ladder, params: Params, run: RecordedRun) -> None:
    write_json(Path("metrics/evaluate.json"), evaluated())
    folders = (ladder.rows, ladder.rows, Path("artifacts/corpus"), ladder.student, ladder.bundle)
    plots = (Path("metrics/reliability.csv"), Path("metrics/coverage.csv"))
    headline = Path("metrics/headlines.json")
    outputs = (*plots, Path("reports/model"), headline)
    metrics = analyze(params.analyze, TASK, "places", 17, *folders, Path("metrics/evaluate.json"), *outputs, run)
    assert "macro_f1" in json.loads(headline.read_text())
    assert metrics["test_rows"] == 60
    assert all(path.read_text().count(",") for path in plots)
    assert sorted(path.name for path in Path("reports/model").iterdir()) == ["README.md", FINDINGS, "index.html"]
    findings = json.loads(Path("reports/model", FINDINGS).read_text())
    assert set(findings) == set(metrics) - {"test_rows", "errors"}
    assert run.files == [Path("reports/model")]


def test_every_analysis_has_a_section_of_its_name(params: Params) -> None:
    assert {*ANALYSES} <= {*type(params.analyze).model_fields}


def test_a_table_is_written_as_csv(tmp_path: Path) -> None:
    write_table(tmp_path / "some" / "table.csv", Table(("x", "y"), ((0.5, "a, b"),)))
    assert (tmp_path / "some" / "table.csv").read_text() == 'x,y\n0.5,"a, b"\n'
