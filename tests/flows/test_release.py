"""flows.release: the alias moves only to what is better, and the reason is said."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout
from ruamel.yaml import YAML

from cli.predict import champion_model
from components import tracking
from components.artifacts import digest, write_json, write_manifest
from components.errors import ArtifactError
from components.params import load_params
from components.registry import Registry
from components.tracking.past_runs import REPRODUCED
from flows import release
from flows.releasing import considered
from flows.releasing.page import write_gates
from flows.settings import change_params
from flows.timing import LOCK
from tests.slower import slow_down

LEVEL = {"value": 0.0, "low": -0.01, "high": 0.01}
BELOW = {"value": -0.061, "low": -0.084, "high": -0.038}
RUNGS = ("onnx", "int8", "int8_static", "int4_embeddings")


def released_project(folder: Path, ladder: Any) -> Path:
    """Make the folder a project whose one task `places` has been built and evaluated."""
    shutil.copytree(ladder.bundle, folder / "artifacts/places/bundle")
    shutil.copytree(ladder.rows, folder / "artifacts/tasks/places")
    (folder / "artifacts/corpus").mkdir()
    write_manifest(folder / "artifacts/corpus", "corpus", {})
    write_scores(folder, teacher=0.95, shipped=0.94)
    parity = {"agreement": 1.0, "max_difference": 0.01}
    write_json(folder / "metrics/build/places.json", {"gate": dict.fromkeys(("fp32", *RUNGS[1:]), parity)})
    write_validation(folder, leaked=0)
    path = folder / "params.yaml"
    content = YAML(typ="safe").load(path.read_text())
    content["tasks"] = {"places": {"kind": "classification", "language": "en", "max_length": 24}}
    content["release"] |= {"speed_rounds": 10, "system_rounds": 10}
    YAML().dump(content, path)
    return folder


def write_scores(folder: Path, gain: dict[str, float] = LEVEL, **scores: float) -> None:
    """Of the teacher, and of whichever rung is shipped; `gain`: of that over counting words."""
    every = {"teacher": scores["teacher"], **dict.fromkeys(RUNGS, scores["shipped"])}
    keys = [f"{measure}{end}" for measure in ("macro_f1", "accuracy") for end in ("", "_low", "_high")]
    found = {name: dict.fromkeys(keys, score) for name, score in every.items()}
    over = {"over_baseline": {rung: {"macro_f1": gain, "accuracy": gain} for rung in RUNGS}}
    write_json(folder / "metrics/evaluate/places.json", found | over)


def write_validation(folder: Path, leaked: int) -> None:
    """The verdict of `validate`, by which so many training rows stand in the test split too."""
    tables = ("corpus", "places_train", "places_validation", "places_test")
    counts = dict.fromkeys(tables, 0) | {"places_train": leaked}
    suites = {table: [{"column": "held_out_in", "unexpected_count": count}] for table, count in counts.items()}
    write_json(folder / "artifacts/validation/verdict.json", {"suites": suites})
    write_json(folder / "metrics/validate.json", {"rows": dict.fromkeys(tables, 30)})


def other_bundle(folder: Path) -> None:
    """The same model under another digest, as a rerun with other parameters gives."""
    path = folder / "artifacts/places/bundle/manifest.json"
    write_json(path, json.loads(path.read_text()) | {"note": "made differently"})


def confuse(folder: Path) -> None:
    """The same weights with the labels in another order: a model that is always wrong."""
    path = folder / "artifacts/places/bundle/manifest.json"
    made = json.loads(path.read_text())
    write_json(path, made | {"labels": [*made["labels"][1:], made["labels"][0]]})


@pytest.mark.slow
def test_the_first_is_champion_the_same_again_nothing_new_and_an_equal_one_refused(
    project: Path, ladder: Any, root: Path
) -> None:
    released_project(project, ladder)
    with tracking.pipeline_run("pipeline", {}) as run:
        first = release.release("places", project, run.id)
        again = release.release("places", project, run.id)
        assert (first.version, first.champion) == (1, True)
        assert (again.version, again.line) == (1, f"places v1 ({first.rung}) is the champion already")
        assert first.scores == again.scores
        assert set(first.scores.values()) == {0.94}
        assert "macro-F1 0.9400 (0.940 to 0.940), accuracy 0.9400 (0.940 to 0.940); macro-F1 level" in first.line
        assert considered.is_current(project)

        # Without its page, as in another clone, the release makes it again from what the version was released on.
        timed = (project / "reports/speed/places/speed.json").read_bytes()
        shutil.rmtree(project / "reports")
        assert not considered.is_current(project)
        assert release.release("places", project, run.id).line == again.line
        assert (project / "reports/speed/places/speed.json").read_bytes() == timed
        assert "Released: ships" in (project / "reports/speed/places/index.html").read_text()
        assert "<td>parity</td><td>passed</td>" in (project / "reports/release/places/index.html").read_text()
        assert considered.is_current(project)

        # Other limits may give another verdict.
        for limit, current in (("0.5", False), ("0.0", True)):
            change_params(project / "params.yaml", (f"release.min_gain={limit}",))
            assert considered.is_current(project) == current

        other_bundle(project)
        assert not considered.is_current(project)
        write_scores(project, teacher=0.95, shipped=0.5)
        lossy = release.release("places", project, run.id)
        assert not lossy.champion
        assert "release.max_loss allows" in lossy.line
        assert [one.gate for one in lossy.gates if not one.passed] == ["teacher", "champion"]
        write_scores(project, BELOW, teacher=0.95, shipped=0.95)
        below = release.release("places", project, run.id)
        assert not below.champion
        assert "not champion: below counting words by 0.061 (-0.084 to -0.038) in macro-F1 on the same" in below.line
        assert Registry().refusal("places").startswith("v2 was refused: below counting words by 0.061")

    champion = Registry().champion("places")
    assert champion is not None
    assert champion.version == 1

    # The registered folder is a bundle that answers, through MLflow's own scoring server too.
    bundle = Registry().bundle("places", 1)
    assert (bundle / "manifest.json").is_file()
    serve = [sys.executable, "-m", "mlflow", "models", "predict", "-m", "models:/places@champion", "-t", "json"]
    (project / "asked.json").write_text(
        '{"dataframe_split": {"columns": ["text"], "data": [["ship wave harbour sail"]]}}'
    )
    environment = os.environ | {"MLFLOW_TRACKING_URI": tracking.tracking_uri(), "PYTHONPATH": str(root)}
    command = [*serve, "--env-manager", "local", "-i", "asked.json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.strip().splitlines()[-1])["predictions"][0]["label"] == "sea"


@pytest.mark.slow
def test_a_worse_retrained_model_is_not_released_and_every_gate_is_told(
    project: Path, ladder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    released_project(project, ladder)
    with tracking.pipeline_run("pipeline", {}) as run:
        release.release("places", project, run.id)
        confuse(project)
        worse = release.release("places", project, run.id)
        noted = run.client.get_run(run.id).data.tags["mlflow.note.content"]
        table = json.loads(Path(run.client.download_artifacts(run.id, "gates.json")).read_text())
    registry = Registry()
    assert (worse.version, worse.champion, registry.challenger("places")) == (2, False, None)
    assert [version.version for version in (registry.champion("places"),) if version] == [1]
    refused = [one for one in worse.gates if not one.passed]
    assert [one.gate for one in refused] == ["champion"]
    told = (
        r"of the champion v1, -0\.9\d+ \(-1\.0000 to -0\.\d+\) on the same rows, release\.min_gain asks for more than 0"
    )
    assert re.search(told, refused[0].sentence)
    # Passed ones too: in the output, the run, and on the version.
    tags = registry.versions("places")[0].tags
    printed = capsys.readouterr().out
    for one in worse.gates:
        assert f"[release@places] {one}" in printed
        assert one.sentence in noted
        assert tags[f"gate.{one.gate}"] == f"{'passed' if one.passed else 'refused'}: {one.sentence}"
    assert "## Gates" in registry.client.get_model_version("places", "2").description
    assert len(table["data"]) == 2 * len(worse.gates)


@pytest.mark.slow
def test_a_model_waits_to_be_reproduced_then_for_approval_and_one_declined_is_not_taken_again(
    project: Path, ladder: Any
) -> None:
    released_project(project, ladder)
    change_params(project / "params.yaml", ("release.require_reproduced=true", "release.approval=true"))
    registry = Registry()
    with tracking.pipeline_run("pipeline", {}) as run:
        assert "`lianzi reproduce places@1` does" in release.release("places", project, run.id).line
        assert not considered.is_current(project)  # considered again by the next run
        run.client.set_tag(run.id, REPRODUCED, "equal, 2026-11-29, a CPU")
        waiting = release.release("places", project, run.id)
        assert not waiting.champion
        assert re.search(
            "places v1 .* is the challenger now: .*`lianzi approve places` makes it champion", waiting.line
        )
        assert registry.refusal("places") == ""
        assert registry.champion("places") is None
        assert considered.is_current(project)
        registry.decline("places", "rude answers", "approve")
        assert "was declined, not champion: rude answers" in release.release("places", project, run.id).line
        assert registry.challenger("places") is None


@pytest.mark.slow
def test_a_rung_made_slower_is_not_what_the_champion_answers_with(project: Path, ladder: Any) -> None:
    released_project(project, ladder)
    bundle = project / "artifacts/places/bundle"
    slow_down(bundle, "int4_embeddings")
    before = digest(bundle)
    with tracking.pipeline_run("pipeline", {}) as run:
        verdict = release.release("places", project, run.id)
        kept = [path.path for path in run.client.list_artifacts(run.id, "speed/places")]
        measured = run.client.get_run(run.id).data.metrics

    classifier = champion_model(project, "places")
    assert verdict.champion
    assert classifier.rung in ("fp32", "int8", "int8_static")
    assert f"({classifier.rung}) is the champion now" in verdict.line
    champion = Registry().champion("places")
    assert champion is not None
    assert champion.tags["rung"] == classifier.rung
    found = json.loads((project / "reports/speed/places/speed.json").read_text())
    assert not found["verdicts"]["int4_embeddings"]["accepted"]
    assert set(kept) == {f"speed/places/{name}" for name in ("index.html", "ladder.png", "speed.json")}
    assert measured["speed/places/int8/batch_1_full/p99"] > 0
    # The bundle that DVC owns is as it was.
    assert not (bundle / "speed.json").exists()
    assert digest(bundle) == before


def test_a_bundle_that_was_not_evaluated_is_not_released(project: Path, ladder: Any) -> None:
    released_project(project, ladder)
    (project / "metrics/evaluate/places.json").unlink()
    with pytest.raises(ArtifactError, match="not evaluated"):
        release.release("places", project, "no-run")


def test_a_release_is_alone_and_notes_it_whole(project: Path, ladder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    released_project(project, ladder)
    alone: list[bool] = []

    def judged(*_: object) -> release.Verdict:
        with pytest.raises(Timeout):
            FileLock(project / LOCK).acquire(timeout=0)
        alone.append(True)
        return release.Verdict("places", 1, True, "int8", {}, "")

    (project / ".lianzi").mkdir()
    (project / considered.RECORD).write_text('{"store": "half of')
    monkeypatch.setattr(release, "_judge", judged)
    release.release("places", project, "no-run")
    assert alone == [True]
    bundle = project / "artifacts/places/bundle"
    bundles = {"places": considered.considered(bundle, load_params(project / "params.yaml").release)}
    written = json.loads((project / considered.RECORD).read_text())
    assert written == {"store": tracking.tracking_uri(), "bundles": bundles}
    assert [path.name for path in (project / ".lianzi").glob("released*")] == ["released.json"]


def test_a_record_of_another_store_counts_for_nothing(project: Path, ladder: Any) -> None:
    released_project(project, ladder)
    bundle = project / "artifacts/places/bundle"
    bundles = {"places": considered.considered(bundle, load_params(project / "params.yaml").release)}
    for name, content in (("index.html", "a page"), ("speed.json", json.dumps({"bundle": digest(bundle)}))):
        (project / "reports/speed/places").mkdir(parents=True, exist_ok=True)
        (project / "reports/speed/places" / name).write_text(content)
    write_gates(project / considered.REPORTS / "places/index.html", "places", "places v1 is the champion now", ())
    write_json(project / considered.RECORD, {"store": "sqlite:////elsewhere.db", "bundles": bundles})
    assert not considered.is_current(project)
    write_json(project / considered.RECORD, {"store": tracking.tracking_uri(), "bundles": bundles})
    assert considered.is_current(project)
    (project / "mlflow/mlflow.db").unlink()
    assert not considered.is_current(project)
