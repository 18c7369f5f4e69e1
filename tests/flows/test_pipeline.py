"""The pipeline flow against a real Prefect server, real DVC and real MLflow."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from prefect.exceptions import Abort

from components import tracking
from components.lease import TURN, lease
from flows.pipeline import pipeline
from tests.flows.conftest import DVC_YAML
from tests.service_logs import assert_healthy
from tests.small_store import copy_project


def lianzi(*words: str, project: Path, settings: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a person calls it."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | (settings or {}),
        capture_output=True,
        text=True,
        check=False,
    )


def ask(settings: dict[str, str], path: str, body: dict[str, Any], method: str = "POST") -> Any:
    address, headers = settings["PREFECT_API_URL"] + path, {"content-type": "application/json"}
    request = urllib.request.Request(address, json.dumps(body).encode(), headers, method=method)
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or "null")
        except urllib.error.HTTPError as error:
            # As Prefect's own clients do: the server says so where SQLite was locked.
            if error.code != 503 or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


@dataclass
class Scheduled:
    """Two projects on one server: `a` with a cron of one minute, `b` as it ships; one worker, started in neither."""

    a: Path
    b: Path
    settings: dict[str, str]
    worker_log: Path
    a_id: str = ""
    b_id: str = ""

    def flow_runs(self, deployment: str, **more: Any) -> list[dict[str, Any]]:
        wanted = {"deployment_id": {"any_": [deployment]}, **more}
        found: list[dict[str, Any]] = ask(self.settings, "/flow_runs/filter", {"flow_runs": wanted})
        return found

    def ended(self, run: dict[str, Any], seconds: float = 180) -> dict[str, Any]:
        """The run's last state."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            (found,) = ask(self.settings, "/flow_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
            state: dict[str, Any] = found["state"]
            if state["type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
                return state
            time.sleep(0.5)
        raise AssertionError(f"not ended in {seconds} s\n{self.worker_log.read_text(errors='replace')}")

    def logs(self, run: dict[str, Any], awaited: str, seconds: float = 120) -> list[dict[str, Any]]:
        """The run's log as the server has it once a line with `awaited` has come, or after `seconds`."""
        deadline = time.monotonic() + seconds
        while True:
            wanted = {"logs": {"flow_run_id": {"any_": [run["id"]]}}}
            found: list[dict[str, Any]] = ask(self.settings, "/logs/filter", wanted)
            if any(awaited in log["message"] for log in found) or time.monotonic() > deadline:
                return found
            time.sleep(0.5)


@pytest.fixture(scope="module")
def scheduled(
    root: Path, shell_project: Path, prefect_server: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scheduled]:
    """The deployments are made at the module's first test, so that the minutes pass while others run."""
    folder = tmp_path_factory.mktemp("scheduled")
    there = Scheduled(folder / "a/project", folder / "b/project", prefect_server, folder / "worker.log")
    for project in (there.a, there.b):
        copy_project(shell_project, project)
        for name in ("components", "flows", "infra"):
            ignored = shutil.ignore_patterns("__pycache__", "sample-data")
            shutil.copytree(root / name, project / name, ignore=ignored)
    config = there.a / "infra/prefect.yaml"
    config.write_text(config.read_text().replace('"0 2 * * *"', '"* * * * *"'))
    environment = os.environ | prefect_server
    environment.pop("MLFLOW_TRACKING_URI", None)

    def call(project: Path, *words: str) -> str:
        command = [sys.executable, "-m", *words]
        done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    told = call(there.a, "cli.main", "schedule")
    assert f"pipeline/nightly-project runs {there.a}" in told
    assert told.count("next: ") == 3
    assert "prefect worker start --pool local" in told
    words = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "local"]
    console = {"PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "INFO"}
    with there.worker_log.open("wb") as log:
        worker = subprocess.Popen(words, cwd=folder, env=environment | console, stdout=log, stderr=log)
    try:
        call(there.b, "prefect", "--no-prompt", "deploy", "--prefect-file", "infra/prefect.yaml")
        for deployment in ask(prefect_server, "/deployments/filter", {}):
            if deployment["tags"][0].endswith(str(there.a)):
                there.a_id = deployment["id"]
            else:
                there.b_id = deployment["id"]
        yield there
    finally:
        for deployment in (there.a_id, there.b_id):
            if deployment:
                ask(prefect_server, f"/deployments/{deployment}/pause_deployment", {})
        family = psutil.Process(worker.pid).children(recursive=True)
        worker.terminate()
        try:
            worker.wait(60)
        except subprocess.TimeoutExpired:
            worker.kill()
            for process in family:
                if process.is_running():
                    process.kill()
            worker.wait(10)


@pytest.mark.slow
def test_each_project_has_a_deployment_that_runs_in_its_own_folder(scheduled: Scheduled) -> None:
    assert scheduled.a_id
    assert scheduled.b_id
    deployment = ask(scheduled.settings, "/deployments/filter", {"deployments": {"id": {"any_": [scheduled.b_id]}}})[0]
    assert deployment["schedules"][0]["schedule"]["cron"] == "0 2 * * *"
    run = ask(scheduled.settings, f"/deployments/{scheduled.b_id}/create_flow_run", {})
    assert scheduled.ended(run)["type"] == "COMPLETED"
    assert (scheduled.b / "dependant.txt").read_text() == "words\n"


@pytest.mark.slow
def test_the_server_refuses_a_number_of_stages_that_is_none(scheduled: Scheduled) -> None:
    for parallel in (0, -1, "abc", None):
        with pytest.raises(urllib.error.HTTPError) as refused:
            ask(
                scheduled.settings,
                f"/deployments/{scheduled.b_id}/create_flow_run",
                {"parameters": {"parallel": parallel}},
            )
        assert refused.value.code in (409, 422)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"root": "/nonexist"}, "root: /nonexist: no Lianzi project there"),
        ({"parallel": 0}, "parallel: 0: not a number of stages\nset it to 1 or more"),
    ],
)
def test_a_parameter_that_means_nothing_fails_the_run_before_any_work(
    scheduled: Scheduled, parameters: dict[str, Any], told: str
) -> None:
    before = pipeline_runs(scheduled.b)
    # A server that checks nothing: the flow has to.
    address = f"/deployments/{scheduled.b_id}"
    ask(scheduled.settings, address, {"enforce_parameter_schema": False}, "PATCH")
    run = ask(scheduled.settings, f"{address}/create_flow_run", {"parameters": parameters})
    state = scheduled.ended(run)
    ask(scheduled.settings, address, {"enforce_parameter_schema": True}, "PATCH")
    assert state["type"] == "FAILED"
    assert told in state["message"]
    logs = scheduled.logs(run, told)  # sent in batches, some seconds after the state
    assert any(told in log["message"] for log in logs)
    assert not [log["message"] for log in logs if "Traceback" in log["message"]]
    assert pipeline_runs(scheduled.b) == before


def pipeline_runs(project: Path) -> list[str]:
    """The status of each run that MLflow has of a project."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        client = tracking.connect()
        experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
        assert experiment is not None
        return [run.info.status for run in client.search_runs([experiment.experiment_id])]


@pytest.mark.slow
def test_a_failed_stage_stops_its_dependants_and_lets_the_others_finish(
    project: Path, prefect_server: dict[str, str]
) -> None:
    (project / "break").touch()
    failed = lianzi("run", project=project, settings=prefect_server)
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "error: failed: fragile" in failed.stderr
    assert "Traceback" not in failed.stderr
    states = {line.split()[0]: line.split()[1:3] for line in failed.stdout.splitlines() if line and line[0].isalpha()}
    assert states["first"][0] == states["bystander"][0] == "ran"
    assert states["fragile"][0] == "failed"
    assert re.search(r"^1 stage +not run +dependant", failed.stdout, re.MULTILINE), failed.stdout
    assert "source.txt:1 is cracked" in failed.stdout

    # Mended, only what was missing runs, and what is fresh is a cached node.
    (project / "break").unlink()
    mended = lianzi("run", project=project, settings=prefect_server)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    by_hand = {"flow_runs": {"deployment_id": {"is_null_": True}}}
    runs = ask(prefect_server, "/task_runs/filter", {**by_hand, "sort": "EXPECTED_START_TIME_DESC", "limit": 4})
    assert {run["name"]: run["state"]["name"] for run in runs} == {
        "first": "Cached",
        "bystander": "Cached",
        "fragile": "Completed",
        "dependant": "Completed",
    }

    # Both pipeline runs stand in MLflow, each with its end.
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    kept = [run.info for run in client.search_runs([experiment.experiment_id])]
    assert sorted(info.status for info in kept) == ["FAILED", "FINISHED"]
    named = [run["name"] for run in ask(prefect_server, "/flow_runs/filter", by_hand)]
    assert {info.run_name for info in kept} <= {*named}
    assert all(re.search(r"· \d{4}-\d\d-\d\d \d\d:\d\d$", info.run_name) for info in kept)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_its_stages_and_is_not_left_running(
    project: Path, prefect_server: dict[str, str], number: signal.Signals
) -> None:
    dvc_yaml = project / "dvc.yaml"
    dvc_yaml.write_text(dvc_yaml.read_text().replace("cat fragile.txt > dependant.txt", "touch begun && sleep 321"))
    words = [sys.executable, "-m", "cli.main", "run"]
    settings = os.environ | prefect_server | {"PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.Popen(words, cwd=project, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (project / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    run.send_signal(number)
    _, told = run.communicate(timeout=180)
    assert run.returncode == 130, told
    assert "interrupted; finished stages are kept" in told
    assert "Traceback" not in told
    working_there = [process for process in psutil.process_iter() if _works_in(process, project)]
    assert not working_there
    client = tracking.connect()
    experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
    assert experiment is not None
    assert [run.info.status for run in client.search_runs([experiment.experiment_id])] == ["KILLED"]

    # What had finished is kept, and DVC's locks do not stand in the way.
    (project / "begun").unlink()
    dvc_yaml.write_text(DVC_YAML)
    again = lianzi("run", project=project, settings=prefect_server)
    assert again.returncode == 0, again.stdout + again.stderr


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return process.cwd() == str(folder) and "sleep" in " ".join(process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.slow
def test_both_drivers_write_the_same_lock_file(project: Path, prefect_server: dict[str, str]) -> None:
    assert lianzi("run", "--parallel", "3", project=project, settings=prefect_server).returncode == 0
    by_flow = (project / "dvc.lock").read_bytes()
    assert "up to date" in subprocess.check_output(["dvc", "repro"], cwd=project, text=True)
    (project / "dvc.lock").unlink()
    subprocess.run(["dvc", "repro", "--force", "--quiet"], cwd=project, check=True)
    assert (project / "dvc.lock").read_bytes() == by_flow


@pytest.mark.slow
def test_a_cron_of_one_minute_has_run_after_run_carried_out_and_no_service_logs_an_error(scheduled: Scheduled) -> None:
    deadline = time.monotonic() + 300
    completed = {"state": {"name": {"any_": ["Completed"]}}}  # on a busy machine one may stand for another
    while len(runs := scheduled.flow_runs(scheduled.a_id, **completed)) < 2 and time.monotonic() < deadline:
        time.sleep(1)
    log = scheduled.worker_log.read_text(errors="replace")
    assert len(runs) >= 2, log
    assert all(run["auto_scheduled"] for run in runs), "not made by the scheduler"
    minutes = {run["expected_start_time"][:16] for run in runs}
    assert len(minutes) == len(runs)
    assert (scheduled.a / "dependant.txt").read_text() == "words\n"
    assert pipeline_runs(scheduled.a).count("FINISHED") >= 2
    provoked = ("no Lianzi project there", "not a number of stages")
    assert_healthy(scheduled.worker_log, provoked)
    assert_healthy(Path(scheduled.settings["PREFECT_HOME"], "server.log"))


def test_a_run_has_a_name_where_its_settings_mean_nothing(project: Path) -> None:
    from flows.pipeline import _run_name

    for settings in (5, [5], None):
        assert " · " in _run_name({"root": str(project), "settings": settings})
    assert _run_name({"root": str(project), "settings": ["a.b=1"]}).startswith("a.b=1 · ")


def test_the_flow_loads_no_library_that_only_its_stages_need() -> None:
    program = "import sys, flows.pipeline; print({'torch', 'transformers', 'onnxruntime'} & sys.modules.keys())"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "set()"


def test_with_nothing_to_do_prefect_is_not_even_imported(project: Path) -> None:
    subprocess.run(["dvc", "repro", "--quiet"], cwd=project, check=True)
    program = (
        "import sys; from flows.releasing import considered; considered.is_current = lambda root: True\n"
        "from pathlib import Path; from cli.run import run_pipeline\n"
        "run_pipeline(Path.cwd(), None); assert not {'prefect', 'mlflow', 'matplotlib', 'pyarrow'} & {*sys.modules}"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Nothing to do" in done.stdout


def test_a_second_process_of_a_run_leaves_without_a_state(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "deployment")
    monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", "run")
    with lease(project / TURN, "scheduled run run", 0, print), pytest.raises(Abort, match="run run is at work in"):
        pipeline.fn(str(project))
