"""Accepting data names its statistics in params.yaml."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components.artifacts import write_json, write_manifest
from components.errors import ArtifactError
from components.params import load_params
from components.validation.drift import read_accepted
from flows.accept import accept_data

STATISTICS = {"corpus": {"length": {"64": 3}}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copy(Path(__file__).parents[2] / "params.yaml", tmp_path)
    verdict = tmp_path / "artifacts" / "validation"
    write_json(verdict / "statistics.json", {"tables": STATISTICS})
    write_manifest(verdict, "verdict", {})
    return tmp_path


def test_accepted_statistics_are_what_params_yaml_names(project: Path) -> None:
    kept, changed = accept_data(project)
    accepted = load_params(project / "params.yaml").section("validate").accepted
    assert accepted in kept
    assert accepted in changed
    assert read_accepted(project / accepted) == STATISTICS


def test_accepting_twice_changes_nothing(project: Path) -> None:
    accept_data(project)
    before = (project / "params.yaml").read_bytes()
    accept_data(project)
    assert (project / "params.yaml").read_bytes() == before
    assert len(list((project / "metrics" / "accepted").iterdir())) == 1


def test_where_nothing_was_validated_there_is_nothing_to_accept(project: Path) -> None:
    shutil.rmtree(project / "artifacts")
    with pytest.raises(ArtifactError, match="no verdict here"):
        accept_data(project)


def test_a_verdict_that_was_changed_is_not_accepted(project: Path) -> None:
    (project / "artifacts" / "validation" / "statistics.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"statistics.json: changed"):
        accept_data(project)
