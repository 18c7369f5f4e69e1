from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from cli.drift import accept_data, request_drift
from cli.main import main
from components.artifacts import write_json, write_manifest
from components.errors import ArtifactError, DataError, ParameterError
from components.params import load_params
from components.validation.drift import read_accepted

LEARNT = {"length": {"16": 50, "32": 50}, "label": {"sea": 50, "city": 50}}


@pytest.fixture
def validated(project: Path) -> Path:
    """A project whose data was validated."""
    path = project / "params.yaml"
    content = YAML(typ="safe").load(path.read_text())
    content["tasks"] = {"places": {"kind": "classification", "language": "en", "max_length": 24}}
    YAML().dump(content, path)
    folder = project / "artifacts" / "validation"
    folder.mkdir(parents=True)
    write_json(folder / "statistics.json", {"tables": {"places_train": LEARNT}})
    write_manifest(folder, "verdict", {})
    return project


def logged(path: Path, *rows: tuple[str, str], model: str = "places") -> Path:
    told: list[dict[str, Any]] = [{"model": model, "text": text, "answer": label, "score": 0.9} for text, label in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in told), encoding="utf-8")
    return path


def test_requests_like_the_training_rows_have_not_drifted(validated: Path) -> None:
    rows = [("s" * 20, "sea"), ("門" * 40, "city")] * 10
    count, found = request_drift(validated, logged(validated / "log.jsonl", *rows), "places")
    assert count == 20
    assert [(one.dimension, one.index, one.too_much) for one in found] == [("label", 0, False), ("length", 0, False)]


def test_the_bin_that_moved_most_is_named(validated: Path) -> None:
    log = logged(validated / "log.jsonl", *[("s" * 300, "sea")] * 9, ("門" * 40, "city"))
    label, length = request_drift(validated, log, "places")[1]
    assert label.too_much
    assert label.most.startswith(("sea: 50.0% then, 90.0% now", "city: 50.0% then, 10.0% now"))
    assert length.most == "256: 0.0% then, 90.0% now"
    done = CliRunner().invoke(main, ["drift", str(log), "places"])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines()[0] == f"10 rows of places in {log}, beside its training rows"
    assert done.output.count("more than max_drift") == 2


def test_mistakes_are_told(validated: Path) -> None:
    log = logged(validated / "log.jsonl", ("ship", "sea"), model="topic")
    with pytest.raises(DataError, match="no row of the model 'places'\nlianzi serve --log-requests"):
        request_drift(validated, log, "places")
    with pytest.raises(ParameterError, match=r"'moods' is no task of params.yaml\nknown: places"):
        request_drift(validated, log, "moods")
    log.write_text("no JSON")
    with pytest.raises(DataError, match=r"log\.jsonl: not a request log"):
        request_drift(validated, log, "places")


STATISTICS = {"corpus": {"length": {"64": 3}}}


@pytest.fixture
def verdict(tmp_path: Path) -> Path:
    """A folder with params.yaml, whose data was validated."""
    shutil.copy(Path(__file__).parents[2] / "params.yaml", tmp_path)
    folder = tmp_path / "artifacts" / "validation"
    write_json(folder / "statistics.json", {"tables": STATISTICS})
    write_manifest(folder, "verdict", {})
    return tmp_path


def test_accepted_statistics_are_what_params_yaml_names(verdict: Path) -> None:
    kept, changed = accept_data(verdict)
    accepted = load_params(verdict / "params.yaml").section("validate").accepted
    assert accepted in kept
    assert accepted in changed
    assert read_accepted(verdict / accepted) == STATISTICS


def test_accepting_twice_changes_nothing(verdict: Path) -> None:
    accept_data(verdict)
    before = (verdict / "params.yaml").read_bytes()
    accept_data(verdict)
    assert (verdict / "params.yaml").read_bytes() == before
    assert len(list((verdict / "metrics" / "accepted").iterdir())) == 1


def test_where_nothing_was_validated_there_is_nothing_to_accept(verdict: Path) -> None:
    shutil.rmtree(verdict / "artifacts")
    with pytest.raises(ArtifactError, match="no verdict here"):
        accept_data(verdict)


def test_a_verdict_that_was_changed_is_not_accepted(verdict: Path) -> None:
    (verdict / "artifacts" / "validation" / "statistics.json").write_text("{}")
    with pytest.raises(ArtifactError, match=r"statistics.json: changed"):
        accept_data(verdict)
