"""components.tracking.moved: MLflow's files are found where the project is now, and only there."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlflow
import pytest

from components import tracking
from components.registry import Registry
from components.tracking.moved import moved_from


class Echo(mlflow.pyfunc.PythonModel):
    """Answers with the question."""

    def predict(self, context: object, model_input: list[str]) -> list[str]:
        return model_input


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def original(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a run, its files and a champion."""
    folder = here / "original"
    (here / "mlflow").rename(folder.with_name("store"))
    folder.mkdir()
    (here / "store").rename(folder / "mlflow")
    monkeypatch.chdir(folder)
    with tracking.pipeline_run("first", {}) as run:
        (folder / "page.html").write_text("a page")
        run.log_files(folder / "page.html")
    registry = Registry()
    with mlflow.start_run(run_id=run.id):
        logged = mlflow.pyfunc.log_model(name="echo", python_model=Echo(), pip_requirements=["mlflow"])
    version = mlflow.register_model(logged.model_uri, "echo")
    registry.set_champion("echo", int(version.version))
    # MLflow notes in the environment where the registry was told to look.
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return folder


def champion_answers() -> str:
    Registry()
    answer: list[str] = mlflow.pyfunc.load_model("models:/echo@champion").predict(["still here"])
    return answer[0]


@pytest.mark.parametrize("name", ["elsewhere", "100% done?#x"])
def test_a_moved_project_has_its_files_and_its_champion(
    original: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    moved = original.rename(original.with_name(name))
    monkeypatch.chdir(moved)
    client = tracking.connect()
    told = capsys.readouterr().err
    assert told.splitlines() == [f"The project was at {original} before: MLflow now uses the files here."]
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    run = client.search_runs([experiment.experiment_id])[0]
    assert Path(client.download_artifacts(run.info.run_id, "page.html")).read_text() == "a page"
    assert champion_answers() == "still here"
    with tracking.pipeline_run("second", {}) as later:
        later.log_files(moved / "page.html")
    assert (moved / "mlflow/artifacts" / later.id / "artifacts/page.html").is_file()
    assert not original.exists()
    assert "The project was at" not in capsys.readouterr().err


def test_a_copied_project_leaves_the_original_alone(original: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Path(shutil.copytree(original, original.with_name("copy")))
    before = files(original)
    monkeypatch.chdir(copy)
    with tracking.pipeline_run("second", {}) as run:
        run.log_files(copy / "page.html")
    assert champion_answers() == "still here"
    found = tracking.connect().get_model_version_by_alias("echo", "champion")
    assert f"{copy}/" in str(mlflow.artifacts.download_artifacts(artifact_uri=f"models:/echo/{found.version}"))
    assert (copy / "mlflow/artifacts" / run.id / "artifacts/page.html").is_file()
    assert files(original) == before


def test_a_project_reached_through_a_link_has_not_moved(
    original: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    link = original.with_name("link")
    link.symlink_to(original)
    artifacts = link / "mlflow" / "artifacts"
    assert moved_from((original / "mlflow" / "artifacts").as_uri(), artifacts) is None
    store = original.with_name("empty") / "mlflow"  # before its first run it holds no files
    store.mkdir(parents=True)
    (link / "other").symlink_to(store.parent)
    assert moved_from((store / "artifacts").as_uri(), link / "other" / "mlflow" / "artifacts") is None
    assert moved_from("s3://bucket/mlflow/artifacts", artifacts) is None
    assert moved_from("file:///shared/runs", artifacts) is None
    assert moved_from("file:///gone/mlflow/artifacts", artifacts) == Path("/gone/mlflow/artifacts")
