"""cli.reproduce: a result made anew is equal, or its first difference and the cause of it are named."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.reproduce import NotReproduced, reproduce
from components import tracking
from components.registry import Registry
from components.tracking.past_runs import REPRODUCED
from tests.small_results import add_a_row, change_code, commit, make_results, replaced, run
from tests.small_store import copy_project


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, root: Path, mlflow_store: Path) -> Path:
    return make_results(root, mlflow_store, tmp_path_factory.mktemp("results"))


@pytest.fixture
def project(results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_project(results, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def test_a_committed_result_is_reproduced_and_leaves_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in (project / ".dvc" / "cache").rglob("*") if path.is_file()}
    reproduce(project, "HEAD", build=False, keep=False)
    assert "Reproduced: all 2 outputs of 2 stages are equal, byte for byte" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in (project / ".dvc" / "cache").rglob("*") if path.is_file()} == before
    assert not any((project / ".lianzi" / "reproductions").iterdir())


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (add_a_row, "data data/rows.jsonl: 1 lines added, 0 removed, the first at line 4"),
        (change_code, "code components/sum.py: another one"),
        (replaced("params.yaml", "seed: 17", "seed: 7"), "parameter seed: 17 recorded, 7 now"),
    ],
)
def test_what_has_changed_since_the_result_is_named(project: Path, change: Callable[[Path], None], cause: str) -> None:
    change(project)
    commit(project)
    with pytest.raises(NotReproduced) as refused:
        reproduce(project, "HEAD", build=False, keep=False)
    first, named = str(refused.value).splitlines()
    assert re.search(r"sum is the first stage that differs: artifacts/sum.json: (sum|seed) .* recorded, .* now", first)
    assert named == f"cause: {cause}"


def test_a_stage_that_is_not_deterministic_differs_without_a_cause(project: Path) -> None:
    replaced("dvc.yaml", "cp artifacts/sum.json artifacts/copy.json", "date +%s%N > artifacts/copy.json")(project)
    run(project, "dvc", "repro", "-q")
    commit(project)
    with pytest.raises(NotReproduced, match=r"copy is the first stage that differs: .*\nno input differs: the stage"):
        reproduce(project, "HEAD", build=False, keep=True)
    assert (project / ".lianzi" / "reproductions").is_dir()


def test_a_run_is_reproduced_with_the_changes_that_it_had_and_says_so(project: Path) -> None:
    replaced("params.yaml", "seed: 17", "seed: 7")(project)
    run(project, "dvc", "repro", "-q")
    with tracking.pipeline_run("a run", {}) as pipeline:
        tracking.tell_what_came_of_it(pipeline, [], project)
        with tracking.nested_run("release@topic", {}, pipeline.id) as nested:
            pass
    client = tracking.connect()
    client.create_registered_model("topic")
    client.create_model_version("topic", "nowhere", run_id=nested.id)
    Registry().set_champion("topic", 1)
    run(project, "git", "checkout", "-q", "params.yaml", "dvc.lock")
    reproduce(project, "topic@champion", build=False, keep=False)
    told = client.get_run(pipeline.id).data.tags[REPRODUCED]
    assert told.startswith("equal, 20")
    assert client.get_model_version("topic", "1").tags[REPRODUCED] == told


def test_a_run_that_gave_the_data_their_version_is_reproduced_with_them(project: Path) -> None:
    with tracking.pipeline_run("a run", {}) as pipeline:
        add_a_row(project)
        run(project, "dvc", "repro", "-q")
        tracking.tell_what_came_of_it(pipeline, [], project)
    run(project, "git", "checkout", "-q", "data.dvc", "dvc.lock")
    reproduce(project, pipeline.id, build=False, keep=False)
