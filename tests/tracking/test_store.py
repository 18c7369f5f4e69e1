"""components.tracking.store: one store a project, wherever the project lies, and two lines where there is none."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from components import tracking
from components.errors import ServiceError
from components.tracking.store import project_root, sqlite_path, sqlite_uri

DVC_YAML = """
stages:
  learn:
    cmd: python learn.py
    deps: [learn.py]
    params: [seed]
    outs: [model.txt]
"""
LEARN = """
import os, time
from pathlib import Path
from components import tracking
with tracking.stage_run("learn", None, {}, {}) as run:
    run.log_metrics({"loss": 0.5}, 1)
    Path("note.txt").write_text("kept")
    begun = Path(os.environ["BEGUN"])
    (begun / str(os.getpid())).touch()
    deadline = time.monotonic() + 200
    while len(list(begun.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.2)
    run.log_files(Path("note.txt"))
    Path("model.txt").write_text("model")
"""


def test_a_server_that_does_not_answer_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:hunter2@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ServiceError, match="does not answer") as refusal:
        tracking.connect()
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("foo://x", "not the address of a tracking store"),
        ("./mlruns", "no runs in plain folders any more\n`mlflow migrate-filestore`"),
        ("postgresql://me:hunter2@127.0.0.1:9/x", r"its driver is not installed: .*psycopg2"),
        ("sqlite:///damaged.db", "not an SQLite database, or a damaged one\nput a backup in its place"),
        ("sqlite:///outdated.db", "made by another version of MLflow\nback it up, then `mlflow db upgrade"),
        ("sqlite:////proc/nowhere/mlflow.db", "No such file or directory"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_in_two_lines(
    here: Path, monkeypatch: pytest.MonkeyPatch, uri: str, told: str
) -> None:
    (here / "damaged.db").write_bytes(b"not a database at all" * 500)
    (here / "mlflow" / "mlflow.db").rename(here / "outdated.db")
    with sqlite3.connect(here / "outdated.db") as store:
        store.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(ServiceError, match=told) as refusal:
        tracking.connect()
    assert len(str(refusal.value).splitlines()) == 2
    assert "hunter2" not in str(refusal.value)


def test_a_deleted_experiment_is_told_with_what_brings_it_back(here: Path) -> None:
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    with pytest.raises(ServiceError, match="was deleted\n`mlflow experiments restore"):
        tracking.connect()


@pytest.mark.parametrize("name", ["100% done?#x", "what?", "50%25", "a#b", "中文 é"])
def test_a_project_may_lie_in_any_folder(
    tmp_path: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert not tracking.store_exists()
    shutil.copytree(mlflow_store, folder / "mlflow")
    with tracking.pipeline_run("pipeline", {}) as run:
        (folder / "page.html").write_text("a page")
        run.log_files(folder / "page.html")
    assert tracking.store_exists()
    assert {path.name for path in tmp_path.iterdir()} == {name}
    assert {path.name for path in folder.iterdir()} == {"mlflow", "page.html"}
    assert (folder / "mlflow" / "artifacts" / run.id / "artifacts" / "page.html").read_text() == "a page"


@pytest.mark.slow
def test_a_store_is_made_where_it_belongs_whatever_the_folders_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "100% done?#x"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    tracking.connect()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.db")] == [
        f"{folder.name}/mlflow/mlflow.db"
    ]
    assert {path.name for path in tmp_path.iterdir()} == {folder.name}


def test_an_address_and_its_file_are_each_others(tmp_path: Path) -> None:
    for name in ("mlflow.db", "100% done?#x.db", "a b.db"):
        assert sqlite_path(sqlite_uri(tmp_path / name)) == tmp_path / name
    assert sqlite_path("http://127.0.0.1:5000") is None
    assert sqlite_path("sqlite:///:memory:") is None


def test_an_experiment_of_dvcs_belongs_to_the_project_it_is_a_copy_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "tmpq1w2"
    copy.mkdir(parents=True)
    monkeypatch.chdir(copy)
    assert project_root() == tmp_path
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking.tracking_uri() == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow/mlflow.db")
    assert tracking.tracking_uri() == f"sqlite:///{tmp_path}/mlflow/mlflow.db"


@pytest.mark.slow
@pytest.mark.minutes
def test_two_workers_experiments_are_in_the_projects_store_under_their_names(here: Path, root: Path) -> None:
    """DVC works on them in temporary folders, which it deletes; each stage waits here until both have begun."""
    (here / "begun").mkdir()
    environment = os.environ | {"PYTHONPATH": str(root), "BEGUN": str(here / "begun")}

    def call(*words: str) -> str:
        done = subprocess.run(words, cwd=here, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (here / "dvc.yaml").write_text(DVC_YAML)
    (here / "learn.py").write_text(LEARN)
    (here / "params.yaml").write_text("seed: 17  # of everything\nlearning_rate: 0.1\n")
    (here / ".gitignore").write_text("/mlflow\n/note.txt\n/begun\n")
    call("git", "init", "-q")
    call("dvc", "init", "-q")
    call("git", "add", "-A")
    call("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x")
    for name, seed in (("calm-owl", 1), ("bold-fox", 2)):
        call("dvc", "exp", "run", "--queue", "--name", name, "--set-param", f"seed={seed}")
    try:
        call("dvc", "queue", "start", "--jobs", "2")
        deadline = time.monotonic() + 300
        while (queue := call("dvc", "queue", "status")).count("Success") < 2:
            assert "Failed" not in queue, queue
            assert time.monotonic() < deadline, queue
            time.sleep(1)
    finally:  # the workers are no children of this test
        subprocess.run(["dvc", "queue", "stop", "--kill"], cwd=here, env=environment, capture_output=True, check=False)

    assert len(list((here / "begun").iterdir())) == 2
    assert not list(here.glob(".dvc/tmp/exps/*/mlflow"))
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    parents = {run.info.run_name: run for run in runs if "mlflow.parentRunId" not in run.data.tags}
    stages = {run.data.tags["mlflow.parentRunId"]: run for run in runs if "mlflow.parentRunId" in run.data.tags}
    assert set(parents) == {"calm-owl", "bold-fox"}
    assert {name: run.data.params["seed"] for name, run in parents.items()} == {"calm-owl": "1", "bold-fox": "2"}
    for parent in parents.values():
        stage = stages[parent.info.run_id]
        assert stage.info.status == parent.info.status == "FINISHED"
        assert (here / "mlflow/artifacts" / stage.info.run_id / "artifacts" / "note.txt").read_text() == "kept"
    shown = call("dvc", "exp", "show", "--csv")
    assert {"calm-owl", "bold-fox"} <= {field for line in shown.splitlines() for field in line.split(",")}
    call("dvc", "exp", "apply", "calm-owl")
    assert re.match(r"seed: 1 +# of everything\n", (here / "params.yaml").read_text())
    call("dvc", "exp", "branch", "bold-fox", "fox")
    assert "seed: 2" in call("git", "show", "fox:params.yaml")
