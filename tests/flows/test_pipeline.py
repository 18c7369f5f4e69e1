"""The pipeline flow against a real Prefect server, real DVC and real MLflow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from components import tracking
from tests.flows.conftest import DVC_YAML


def lianzi(*words: str, project: Path, settings: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a person calls it."""
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *words],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])} | (settings or {}),
        capture_output=True,
        text=True,
        check=False,
    )


def ask(settings: dict[str, str], path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        settings["PREFECT_API_URL"] + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


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
    assert states["dependant"] == ["not", "run"]
    assert "source.txt:1 is cracked" in failed.stdout

    # Mended, only what was missing runs, and what is fresh is a cached node.
    (project / "break").unlink()
    mended = lianzi("run", project=project, settings=prefect_server)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    runs = ask(prefect_server, "/task_runs/filter", {"sort": "EXPECTED_START_TIME_DESC", "limit": 4})
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
    ends = [run.info.status for run in client.search_runs([experiment.experiment_id])]
    assert sorted(ends) == ["FAILED", "FINISHED"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_its_stages_and_is_not_left_running(
    project: Path, prefect_server: dict[str, str], number: signal.Signals
) -> None:
    dvc_yaml = project / "dvc.yaml"
    dvc_yaml.write_text(dvc_yaml.read_text().replace("cat fragile.txt > dependant.txt", "touch begun && sleep 321"))
    words = [sys.executable, "-m", "flows.cli", "run"]
    settings = os.environ | prefect_server | {"PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.Popen(words, cwd=project, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not (project / "begun").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    run.send_signal(number)
    _, told = run.communicate(timeout=60)
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
def test_the_nightly_deployment_is_picked_up_by_a_worker(
    project: Path, root: Path, prefect_server: dict[str, str]
) -> None:
    environment = os.environ | prefect_server

    def prefect(*words: str) -> str:
        command = [sys.executable, "-m", "prefect", "--no-prompt", *words]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    prefect("work-pool", "create", "local", "--type", "process")
    prefect("deploy", "--prefect-file", "infra/prefect.yaml", "--name", "nightly")
    deployment = ask(prefect_server, "/deployments/filter", {})[0]
    assert deployment["schedules"][0]["schedule"]["cron"] == "0 2 * * *"

    parameters = {"root": str(project), "parallel": 2}
    run = ask(prefect_server, f"/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters})
    worker = subprocess.Popen(
        [sys.executable, "-m", "prefect", "worker", "start", "--pool", "local", "--run-once"],
        cwd=root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 180
        state = "SCHEDULED"
        while state not in ("COMPLETED", "FAILED", "CRASHED") and time.monotonic() < deadline:
            time.sleep(1)
            found = ask(prefect_server, "/flow_runs/filter", {"flow_runs": {"id": {"any_": [run["id"]]}}})
            state = found[0]["state"]["type"]
    finally:
        worker.terminate()
        worker.wait(30)
    assert state == "COMPLETED"
    assert (project / "dependant.txt").read_text() == "words\n"


def test_with_nothing_to_do_prefect_is_not_even_imported(project: Path) -> None:
    subprocess.run(["dvc", "repro", "--quiet"], cwd=project, check=True)
    program = (
        "import sys; from flows import release; release.is_current = lambda root: True\n"
        "from pathlib import Path; from flows.run import run_pipeline\n"
        "run_pipeline(Path.cwd(), None); assert 'prefect' not in sys.modules and 'mlflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Nothing to do" in done.stdout
