"""flows.release: the alias moves only to what is better, and the reason is said."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock, Timeout
from ruamel.yaml import YAML

from cli.predict import champion_classifier
from components import tracking
from components.artifacts import digest, write_json, write_manifest
from components.deployment.config import ReleaseConfig
from components.errors import ArtifactError
from components.params import load_params
from components.registry import Registry
from components.runtime.signing import make_keys, verify_bundle
from components.tasks.classification import Classification
from flows import release
from flows.settings import change_params
from flows.timing import LOCK
from tests.slower import slow_down

TASK = Classification(("a", "b", "c"))
CONFIG = ReleaseConfig(
    max_loss=0.03,
    min_gain=0.0,
    min_gain_over_baseline=0.0,
    min_speedup=0.95,
    target_batch=1,
    speed_rounds=10,
    confidence=0.95,
    batches=[1],
    system_rounds=10,
)
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


def other_bundle(folder: Path) -> None:
    """The same model under another digest, as a rerun with other parameters gives."""
    path = folder / "artifacts/places/bundle/manifest.json"
    write_json(path, json.loads(path.read_text()) | {"note": "made differently"})


@pytest.mark.parametrize(
    ("scores", "champion", "told"),
    [
        ({"teacher": 0.9, "shipped": 0.88}, None, ""),
        ({"teacher": 0.9, "shipped": 0.86}, None, "loses 0.0400 macro-F1 to its teacher, release.max_loss allows 0.03"),
        ({"teacher": 0.9, "shipped": 0.89}, 0.88, ""),
        ({"teacher": 0.9, "shipped": 0.88}, 0.88, r"against the champion's 0.8800 (+0.0000)"),
        ({"teacher": 0.9, "shipped": 0.88}, 0.89, r"against the champion's 0.8900 (-0.0100)"),
    ],
)
def test_a_model_is_refused_with_the_reason(scores: dict[str, float], champion: float | None, told: str) -> None:
    refusal = release.refused(scores, champion, {"macro_f1": LEVEL, "accuracy": LEVEL}, CONFIG, TASK)
    assert told in refusal
    assert bool(refusal) == bool(told)


def test_a_model_below_counting_words_is_refused_with_the_difference() -> None:
    scores, gains = {"teacher": 0.9, "shipped": 0.9}, {"macro_f1": BELOW, "accuracy": LEVEL}
    assert release.refused(scores, None, gains, CONFIG, TASK) == (
        "below counting words by 0.061 (-0.084 to -0.038) in macro-F1 on the same rows, "
        "release.min_gain_over_baseline asks for 0"
    )
    assert release.refused(scores, None, gains, CONFIG.model_copy(update={"min_gain_over_baseline": -0.05}), TASK) == ""


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
        assert release.is_current(project)

        # Without its page, as in another clone, the release makes it again from what the version was released on.
        timed = (project / "reports/speed/places/speed.json").read_bytes()
        shutil.rmtree(project / "reports")
        assert not release.is_current(project)
        assert release.release("places", project, run.id).line == again.line
        assert (project / "reports/speed/places/speed.json").read_bytes() == timed
        assert "Released: ships" in (project / "reports/speed/places/index.html").read_text()
        assert release.is_current(project)

        # Other limits may give another verdict.
        for limit, current in (("0.5", False), ("0.0", True)):
            change_params(project / "params.yaml", (f"release.min_gain={limit}",))
            assert release.is_current(project) == current

        other_bundle(project)
        assert not release.is_current(project)
        write_scores(project, teacher=0.95, shipped=0.5)
        lossy = release.release("places", project, run.id)
        assert not lossy.champion
        assert "release.max_loss allows" in lossy.line
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
def test_a_rung_made_slower_is_not_what_the_champion_answers_with(project: Path, ladder: Any) -> None:
    released_project(project, ladder)
    bundle = project / "artifacts/places/bundle"
    slow_down(bundle, "int4_embeddings")
    before = digest(bundle)
    with tracking.pipeline_run("pipeline", {}) as run:
        verdict = release.release("places", project, run.id)
        kept = [path.path for path in run.client.list_artifacts(run.id, "speed/places")]
        measured = run.client.get_run(run.id).data.metrics

    classifier = champion_classifier(project, "places")
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


@pytest.mark.slow
def test_with_a_key_a_release_signs_what_it_registers(
    project: Path, ladder: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path_factory.mktemp("keys") / "key"
    public = make_keys(key)
    monkeypatch.setenv("LIANZI_SIGNING_KEY", str(key))
    released_project(project, ladder)
    with tracking.pipeline_run("pipeline", {}) as run:
        version = release.release("places", project, run.id).version
    verify_bundle(Registry().bundle("places", version), public)


def test_a_bundle_that_was_not_evaluated_is_not_released(project: Path, ladder: Any) -> None:
    released_project(project, ladder)
    (project / "metrics/evaluate/places.json").unlink()
    with pytest.raises(ArtifactError, match="not evaluated"):
        release.release("places", project, "no-run")


def test_a_bundle_that_was_not_compared_with_its_baseline_is_not_judged() -> None:
    with pytest.raises(ArtifactError, match="the rung int8 was not compared with its baseline"):
        release._over_baseline({"int8": {"macro_f1": 0.9}}, "int8")


def test_a_release_is_alone_and_notes_it_whole(project: Path, ladder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    released_project(project, ladder)
    alone: list[bool] = []

    def judged(*_: object) -> release.Verdict:
        with pytest.raises(Timeout):
            FileLock(project / LOCK).acquire(timeout=0)
        alone.append(True)
        return release.Verdict("places", 1, True, "int8", {}, "")

    (project / ".lianzi").mkdir()
    (project / release.RECORD).write_text('{"store": "half of')
    monkeypatch.setattr(release, "_judge", judged)
    release.release("places", project, "no-run")
    assert alone == [True]
    bundle = project / "artifacts/places/bundle"
    bundles = {"places": release.considered(bundle, load_params(project / "params.yaml").release)}
    written = json.loads((project / release.RECORD).read_text())
    assert written == {"store": tracking.tracking_uri(), "bundles": bundles}
    assert [path.name for path in (project / ".lianzi").glob("released*")] == ["released.json"]


def test_a_record_of_another_store_counts_for_nothing(project: Path, ladder: Any) -> None:
    released_project(project, ladder)
    bundle = project / "artifacts/places/bundle"
    bundles = {"places": release.considered(bundle, load_params(project / "params.yaml").release)}
    for name, content in (("index.html", "a page"), ("speed.json", json.dumps({"bundle": digest(bundle)}))):
        (project / "reports/speed/places").mkdir(parents=True, exist_ok=True)
        (project / "reports/speed/places" / name).write_text(content)
    write_json(project / release.RECORD, {"store": "sqlite:////elsewhere.db", "bundles": bundles})
    assert not release.is_current(project)
    write_json(project / release.RECORD, {"store": tracking.tracking_uri(), "bundles": bundles})
    assert release.is_current(project)
    (project / "mlflow/mlflow.db").unlink()
    assert not release.is_current(project)
