"""flows.scheduling.gpu_pool: trainings by the worker of a second work pool, on a real server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from flows import env_defaults
from flows.dvc_repro import KILLED, TIMED_OUT
from flows.graph import read_graph
from flows.scheduling.gpu_pool import GpuPool, _Lines, lines_of
from tests.flows.test_pipeline import lianzi
from tests.scheduled_lab import Lab, change_data, make_project
from tests.service_logs import assert_healthy

TRAINING = """\
  second:
    cmd: echo trains; while test -e hold.txt; do kill -0 $LIANZI_DRIVER || exit 1; sleep 0.1; done;
      cat first.txt > second.txt
    deps: [first.txt]
    params: [trainer]
    outs: [second.txt]
  third:
    cmd: cat second.txt > third.txt
    deps: [second.txt]
    outs: [third.txt]
"""


def give_it_a_training(project: Path) -> None:
    """The second stage reads `trainer` and goes on while there is `hold.txt`; a third one reads its output.

    Like every training it ends with the flow that runs it.
    """
    path = project / "dvc.yaml"
    before, _, _ = path.read_text().partition("  second:\n")
    path.write_text(before.replace("sleep ${seconds}; ", "") + TRAINING)


@dataclass
class Pools:
    lab: Lab
    project: Path
    id: str

    def begin(self, text: str, **parameters: object) -> str:
        """A run on new data whose training is to be carried out by the pool `gpu`."""
        change_data(self.project, text)
        return self.lab.begin(self.id, gpu_pool="gpu", **parameters)

    def trainings(self) -> list[dict[str, Any]]:
        """The flow runs of single stages, the first one first."""
        found: list[dict[str, Any]] = self.lab.ask(
            "/flow_runs/filter", {"flows": {"name": {"any_": ["stage"]}}, "sort": "EXPECTED_START_TIME_ASC"}
        )
        return found

    @property
    def hold(self) -> Path:
        """While this file is there no training ends."""
        return self.project / "hold.txt"

    def training(self, known: int) -> dict[str, Any]:
        """The training that came to `known` others, once it trains."""
        self.lab.wait(lambda: len(self.trainings()) > known, 180)
        run = self.trainings()[known]
        printed = lines_of(self.project, run["id"])
        self.lab.wait(lambda: printed.exists() and "trains\n" in printed.read_text(), 180)
        return run

    def kill(self, training: dict[str, Any]) -> None:
        """SIGKILL the process of a training."""
        (process,) = (
            one
            for one in self.lab.flow_processes(self.project)
            if one.environ().get("PREFECT__FLOW_RUN_ID") == training["id"]
        )
        process.kill()


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory, mlflow_store: Path) -> Iterator[Pools]:
    """A deployed project with a worker of the pool `local` and one of the pool `gpu`."""
    env_defaults.prepare()
    folder = tmp_path_factory.mktemp("pools")
    project = make_project(folder / "project", mlflow_store, seconds=0.1)
    give_it_a_training(project)
    with Lab(folder / "lab") as lab:
        told = lab.call(project, "schedule", "--cron", "0 0 1 1 *", "--gpu-pool", "gpu")
        assert "trainings run in the work pool gpu" in told
        assert "No worker trains yet: prefect worker start --pool gpu --limit 1" in told
        lab.start("worker")
        lab.start("gpu worker", "gpu")
        deployed = lab.ask("/deployments/filter", {"flows": {"name": {"any_": ["pipeline"]}}})
        yield Pools(lab, project, deployed[0]["id"])
        cancelled = (
            "Cancel",
            "cancel",
            "'second' - Finished in state Failed('no output')",
            "'third' - Finished in state NotReady",
        )
        for name in ("server", "worker", "gpu worker"):
            assert_healthy(lab.log(name), ("crashed", "exited with status code: -9", *cancelled))


@pytest.mark.slow
def test_trainings_run_in_the_second_pool_and_the_results_are_the_same(pools: Pools) -> None:
    run = pools.begin("words")
    assert pools.lab.ended(run)["name"] == "Completed"
    pools_of = {one["name"]: one["work_pool_name"] for one in pools.trainings()}
    assert pools_of == {"second": "gpu"}
    (found,) = pools.lab.runs(pools.id, id={"any_": [run]})
    assert found["work_pool_name"] == "local"

    def lines() -> list[str]:
        found = pools.lab.ask("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}})
        return [line["message"] for line in found]

    pools.lab.wait(lambda: "trains" in lines(), 60)  # they are sent now and then
    by_pools = (pools.project / "dvc.lock").read_bytes()
    (pools.project / "dvc.lock").unlink()
    subprocess.run(["dvc", "repro", "--force", "--quiet", "--no-run-cache"], cwd=pools.project, check=True)
    assert (pools.project / "dvc.lock").read_bytes() == by_pools
    assert not list((pools.project / ".lianzi/stages").glob("*"))


@pytest.mark.slow
def test_a_run_that_is_cancelled_cancels_its_training(pools: Pools) -> None:
    known = len(pools.trainings())
    pools.hold.touch()
    run = pools.begin("cancelled")
    training = pools.training(known)
    pools.lab.ask(f"/flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    assert pools.lab.ended(training["id"])["type"] == "CANCELLED"
    assert pools.lab.ended(run)["type"] == "CANCELLED"
    pools.lab.wait(lambda: not pools.lab.flow_processes(pools.project), 60)
    pools.hold.unlink()


@pytest.mark.minutes
@pytest.mark.slow
def test_a_training_whose_process_is_killed_is_tried_again(pools: Pools) -> None:
    known = len(pools.trainings())
    pools.hold.touch()
    run = pools.begin("killed")
    pools.kill(pools.training(known))
    pools.training(known + 1)
    pools.hold.unlink()
    assert pools.lab.ended(run)["name"] == "Completed"
    assert [pools.lab.state(one["id"])["type"] for one in pools.trainings()[known:]] == ["CRASHED", "COMPLETED"]
    assert [(pools.project / name).read_text() for name in ("second.txt", "third.txt")] == ["killed\n"] * 2


@pytest.mark.slow
def test_a_pool_without_a_worker_is_told_with_the_command_and_ends_the_run(
    tmp_path: Path, mlflow_store: Path, prefect_server: dict[str, str]
) -> None:
    project = make_project(tmp_path / "project", mlflow_store, seconds=0.1)
    give_it_a_training(project)
    nobody = {"LIANZI_GPU_POOL": "nobody", "LIANZI_GPU_WAIT_SECONDS": "0"}
    failed = lianzi("run", project=project, settings=prefect_server | nobody)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    start = "prefect worker start --pool nobody --limit 1"
    assert f"[second] waiting for a worker of the work pool nobody: {start}" in failed.stdout
    assert (
        f"error: second: no worker of the work pool nobody in 0 s (LIANZI_GPU_WAIT_SECONDS): {start}" in failed.stdout
    )
    assert "error: failed: second" in failed.stderr
    assert (project / "first.txt").exists()


@pytest.mark.slow
def test_a_pool_needs_a_server(project: Path, root: Path) -> None:
    given = {"PREFECT_API_URL": "", "PREFECT_HOME": str(project / "home"), "LIANZI_GPU_POOL": "gpu"}
    refused = lianzi("run", project=project, settings=given)
    assert refused.returncode == 1
    assert "error: no Prefect server is configured" in refused.stderr
    assert not (project / "first.txt").exists()


def test_the_stages_that_read_trainer_are_those_that_train(root: Path) -> None:
    training = {stage.name.partition("@")[0] for stage in read_graph(root) if stage.trains}
    assert training == {"pretrain", "finetune", "train_from_scratch", "distill"}


def test_lines_are_handed_on_whole_and_once(tmp_path: Path) -> None:
    heard: list[str] = []
    lines = _Lines(tmp_path, "run")
    lines.hand_on(heard.append)
    path = lines_of(tmp_path, "run")
    path.parent.mkdir(parents=True)
    path.write_text("one\n\ntw", encoding="utf-8")
    lines.hand_on(heard.append)
    path.write_text("one\n\ntwo 二\n", encoding="utf-8")
    lines.hand_on(heard.append)
    lines.hand_on(heard.append)
    assert heard == ["one", "", "two 二"]
    lines.remove()
    assert not path.exists()


@pytest.mark.parametrize(
    ("state", "message", "count", "outcome", "told"),
    [
        ("completed", "restored", 1, (0, "restored"), []),
        ("failed", TIMED_OUT, 1, (1, TIMED_OUT), []),
        ("failed", "/x: another folder; share it", 1, (1, "failed"), ["error: pretrain: /x: another folder; share it"]),
        ("cancelled", "", 1, (1, "failed"), ["error: pretrain: cancelled in Prefect"]),
        ("crashed", "no heartbeat", 1, (1, KILLED), ["its process in the work pool gpu died: no heartbeat"]),
        (
            "crashed",
            "exited with status code: 1",
            0,
            (1, "failed"),
            [
                "error: pretrain: a worker of the work pool gpu could not begin it; it needs /p and its Python there: "
                "exited with status code: 1"
            ],
        ),
    ],
)
def test_the_end_of_a_training_is_told(
    state: str, message: str, count: int, outcome: tuple[int, str], told: list[str]
) -> None:
    pool = GpuPool.__new__(GpuPool)
    pool.name, pool._root = "gpu", Path("/p")
    ended = SimpleNamespace(
        message=message,
        **{f"is_{name}": lambda name=name: name == state for name in ("completed", "cancelled", "crashed")},
    )
    heard: list[str] = []
    run: Any = SimpleNamespace(id=uuid4(), state=ended, run_count=count)
    assert pool._ended(run, "pretrain", heard.append) == outcome
    assert heard == told
