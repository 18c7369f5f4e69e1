"""lianzi watch: a champion's requests beside its answers to validation rows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cli.watch import REQUESTS, watch
from components import tracking
from components.errors import ArtifactError
from components.registry import Registry
from flows.watching.reference import reference_of
from tests.small_ladder import Ladder


def test_without_a_champion_nothing_is_watched(project: Path) -> None:
    with pytest.raises(ArtifactError, match="no champion yet"):
        watch(project, "form", REQUESTS, 50, 0.01)


def log(project: Path, texts: list[str]) -> None:
    (project / ".lianzi").mkdir(exist_ok=True)
    head = {"model": "form", "version": "1", "time": "2026-11-29T00:00:00+00:00", "answer": "sea", "score": 0.9}
    with (project / REQUESTS).open("a") as lines:
        lines.writelines(json.dumps(head | {"request": str(n), "text": text}) + "\n" for n, text in enumerate(texts))


def test_a_champion_whose_answers_moved_is_told_once_and_reported(project: Path, ladder: Ladder) -> None:
    folder = project / "mlflow" / "artifacts" / "model"
    bundle = shutil.copytree(ladder.bundle, folder / "data" / "bundle")
    shutil.copytree(ladder.rows, project / "artifacts" / "tasks" / "form")
    client = tracking.connect()
    client.create_registered_model("form")
    client.create_model_version("form", folder.as_uri())
    Registry().set_champion("form", 1)
    reference = reference_of(project, "form", bundle, project / "reference.json")
    assert set(reference.counts) == {"length", "answer", "confidence"}
    assert reference_of(project, "form", bundle, project / "reference.json") == reference
    log(project, ["ship wave"] * 60)
    lines, drift = watch(project, "form", REQUESTS, 50, 0.01)
    assert drift
    assert any("drift of answer" in line for line in lines)
    assert watch(project, "form", REQUESTS, 50, 0.01)[1] is False
    report = json.loads((project / ".lianzi" / "watch" / "form" / "report.json").read_text())
    assert (report["windows"], report["waiting"]) == ([], 10)
