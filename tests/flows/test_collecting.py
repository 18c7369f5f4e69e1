"""flows.collecting, by `lianzi gc`: what nothing needs is shown, then removed; what is needed stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.gc import collect_garbage
from components import tracking
from components.tracking.inputs import read_lock, read_yaml
from tests.small_results import add_a_row, commit, make_results, replaced, run


def objects(project: Path) -> set[str]:
    cache = project / ".dvc" / "cache" / "files" / "md5"
    return {f"{path.parent.name}{path.name}" for path in cache.glob("??/*")}


def result(project: Path, seed: int) -> str:
    """DVC's hash of the result with this seed, which is computed."""
    now = next(line for line in (project / "params.yaml").read_text().splitlines() if line.startswith("seed:"))
    replaced("params.yaml", now, f"seed: {seed}")(project)
    run(project, "dvc", "repro", "-q")
    return str(read_lock(project)["sum"]["outs"][0]["md5"])


def test_what_a_commit_a_tag_a_version_or_the_work_tree_needs_stays(
    tmp_path: Path, root: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make_results(root, mlflow_store, tmp_path)
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("LIANZI_CACHE", raising=False)
    tagged = result(project, 1)
    commit(project)
    run(project, "git", "tag", "kept")
    run(project, "git", "reset", "-q", "--hard", "HEAD~1")  # the tag alone has it now
    released = result(project, 2)
    with tracking.pipeline_run("a run", {}) as pipeline:
        tracking.tell_what_came_of_it(pipeline, [], project)
    client = tracking.connect()
    client.create_registered_model("topic")
    client.create_model_version("topic", "nowhere", run_id=pipeline.id)
    unneeded = result(project, 3)
    with tracking.pipeline_run("deleted", {}) as deleted:
        pass
    for run_id in (pipeline.id, deleted.id):
        client.delete_run(run_id)
    for name, age in (("old", 1), ("new", 2)):
        checkpoint = project / ".cache" / "checkpoints" / "pretrain" / name
        checkpoint.mkdir(parents=True)
        (checkpoint / "weights").write_bytes(bytes(1000))
        os.utime(checkpoint, (age, age))
    now = result(project, 4)
    before = objects(project)

    collect_garbage(project, yes=False)
    told = capsys.readouterr().out
    assert objects(project) == before
    assert "or the work tree uses: 1, 0.0 MB" in told
    assert "checkpoints of trainings before the latest of each stage: 1," in told
    assert "runs deleted in MLflow: 1," in told

    collect_garbage(project, yes=True)
    assert before - objects(project) == {unneeded}
    assert {tagged, released, now} <= objects(project)
    assert [path.name for path in (project / ".cache" / "checkpoints" / "pretrain").iterdir()] == ["new"]
    assert client.get_run(pipeline.id).info.lifecycle_stage == "deleted"  # a version is of it
    with pytest.raises(Exception, match="not found"):
        client.get_run(deleted.id)
    run(project, "git", "checkout", "-q", "--force", "kept")
    run(project, "dvc", "checkout", "-q")
    collect_garbage(project, yes=False)


def test_an_old_commit_whose_data_is_not_here_is_in_nobodys_way(
    tmp_path: Path, root: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a fresh clone, which has the data of its own commit alone."""
    project = make_results(root, mlflow_store, tmp_path)
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    [data] = read_yaml(project / "data.dvc")["outs"]
    add_a_row(project)
    run(project, "dvc", "repro", "-q")
    commit(project)
    (project / ".dvc" / "cache" / "files" / "md5" / data["md5"][:2] / data["md5"][2:]).unlink()
    collect_garbage(project, yes=False)
    assert "or the work tree uses: 1," in capsys.readouterr().out  # a file of that data, which nothing lists any more


def test_a_version_made_from_a_part_of_the_data_is_in_nobodys_way(
    tmp_path: Path, root: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As every version, since `analyze` reads data/tasks/TASK: DVC's cache lists the files of data/ alone."""
    project = make_results(root, mlflow_store, tmp_path)
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (project / "data" / "tasks").mkdir()
    (project / "data" / "tasks" / "test.jsonl").write_text("{}\n")
    run(project, "dvc", "add", "-q", "data")
    replaced("dvc.yaml", "deps: [artifacts/sum.json]", "deps: [artifacts/sum.json, data/tasks]")(project)
    run(project, "dvc", "repro", "-q")
    commit(project)
    with tracking.pipeline_run("a run", {}) as pipeline:
        tracking.tell_what_came_of_it(pipeline, [], project)
    client = tracking.connect()
    client.create_registered_model("topic")
    client.create_model_version("topic", "nowhere", run_id=pipeline.id)
    part = next(one["md5"] for one in read_lock(project)["copy"]["deps"] if one["path"] == "data/tasks")
    assert part not in objects(project)
    collect_garbage(project, yes=False)
    assert "or the work tree uses: 0," in capsys.readouterr().out
    [data] = read_yaml(project / "data.dvc")["outs"]
    (project / ".dvc" / "cache" / "files" / "md5" / data["md5"][:2] / data["md5"][2:]).unlink()
    collect_garbage(project, yes=False)
    assert f"a registered version needs {data['md5']}, whose files are not known" in capsys.readouterr().out
