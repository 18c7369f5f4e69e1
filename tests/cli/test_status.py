"""cli.status: DVC's verdict in a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.status import reasons, show_status
from components import tracking
from components.registry import Registry
from flows.dvc_repro import reproduce
from tests.command_imports import command_imports

HEAVY = ("mlflow", "sqlalchemy", "pandas", "pyarrow", "matplotlib", "numpy", "torch", "transformers", "prefect")


def test_fresh_and_stale_stages_are_told_apart(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reproduce("first", project, print)
    capsys.readouterr()
    show_status(project)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    rows = {words[0]: words[1] for words in lines if len(words) > 1}
    assert rows["first"] == "fresh"
    assert rows["bystander"] == "stale"
    assert rows["topic:"] == "no"


def test_a_stage_is_a_line_of_eighty_columns(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    show_status(project)
    told = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in told)
    assert [line.split()[0] for line in told[1:5]] == ["first", "bystander", "fragile", "dependant"]


def test_reasons_are_told_in_short() -> None:
    assert reasons([]) == ""
    assert reasons(["deps components/a.py modified", "deps components/b.py modified"]) == "code modified"
    changes = ["deps data modified", "params.yaml: seed: 1 -> 2", "deps components/a.py modified"]
    assert reasons(changes) == "data modified, 1 more, code modified"


def test_it_is_told_without_what_takes_seconds_to_import(project: Path) -> None:
    client = tracking.connect()
    client.create_registered_model("form")
    client.create_model_version("form", "nowhere", tags={"macro_f1": "0.871000", "gate.size": "passed: 0.3 MB"})
    Registry().set_champion("form", 1)
    done, imported = command_imports(["status"], HEAVY)
    assert "form: champion v1, macro-F1 0.871000 on the test rows of its run\n  v1 size passed: 0.3 MB" in done.stdout
    assert imported == "[]"
