"""A deployment on a real server with a real worker: missed runs, killed runs, messages, new data."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from components import tracking
from flows import env_defaults
from flows.scheduling.new_data import SETTLED_SECONDS
from infra.pictures import look, prefect_pages
from tests.browser import open_browser
from tests.scheduled_lab import Lab, change_data, make_project
from tests.service_logs import assert_healthy

pytestmark = pytest.mark.slow
BLOCK = "custom-webhook/ops"
MAKE_BLOCK = """
import sys
from prefect.blocks.notifications import CustomWebhookNotificationBlock as Block
data = {"subject": "{{subject}}", "body": "{{body}}"}
Block(name="ops", url=sys.argv[1], json_data=data).save("ops")
"""


@dataclass
class Scheduled:
    lab: Lab
    project: Path
    id: str
    messages: list[dict[str, str]] = field(default_factory=list)

    def running(self, **parameters: object) -> str:
        """A run whose first stage has begun."""
        run = self.lab.begin(self.id, **parameters)
        self.lab.wait(lambda: self.lab.state(run)["type"] == "RUNNING" and self.lab.flow_processes(self.project), 180)
        time.sleep(2)
        return run

    def mlflow(self) -> list[tuple[str, str]]:
        """The flow run and the status of each pipeline run in MLflow."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.project)
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            client = tracking.connect()
            experiment = client.get_experiment_by_name(tracking.EXPERIMENT)
            assert experiment is not None
            runs = client.search_runs([experiment.experiment_id])
            return [(run.data.tags["prefect.flow_run_id"], run.info.status) for run in runs]


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory, mlflow_store: Path) -> Iterator[Scheduled]:
    """A project with a worker, whose schedule has its next run at New Year."""
    with deployed(tmp_path_factory.mktemp("mends"), mlflow_store, "0 0 1 1 *") as there:
        there.lab.start("worker")
        yield there


@contextmanager
def deployed(folder: Path, mlflow_store: Path, cron: str) -> Iterator[Scheduled]:
    """A deployment on a server of its own, as yet without a worker."""
    env_defaults.prepare()
    project = make_project(folder / "project", mlflow_store, seconds=2)
    messages: list[dict[str, str]] = []
    inbox = HTTPServer(("127.0.0.1", 0), _handler(messages))
    threading.Thread(target=inbox.serve_forever, daemon=True).start()
    with Lab(folder / "lab") as lab:
        lab.python(MAKE_BLOCK, f"http://127.0.0.1:{inbox.server_port}")
        lab.call(project, "schedule", "--cron", cron, "--notify", BLOCK)
        yield Scheduled(lab, project, lab.deployment(project)["id"], messages)
        assert_healthy(lab.log("server"))
        assert_healthy(lab.log("worker"), ("crashed", "exited with status code: -9", "failed: second", "is cracked"))
    inbox.shutdown()


def _due(there: Scheduled) -> list[str]:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return [run["id"] for run in there.lab.runs(there.id, expected_start_time={"before_": now})]


def _handler(messages: list[dict[str, str]]) -> type[BaseHTTPRequestHandler]:
    class Inbox(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            messages.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: a test's output is its own."""

    return Inbox


@pytest.mark.minutes
def test_three_missed_runs_give_one(tmp_path: Path, mlflow_store: Path) -> None:
    with deployed(tmp_path, mlflow_store, "* * * * *") as there:
        there.lab.wait(lambda: len(_due(there)) >= 3, 300)
        there.lab.start("worker")
        missed = _due(there)[:3]
        names = [there.lab.ended(run, 240)["name"] for run in missed]
        there.lab.ask(f"/deployments/{there.id}/pause_deployment", {})
        assert sorted(names) == ["Completed", "Skipped", "Skipped"]
        assert sum(run in missed for run, _ in there.mlflow()) == 1
        assert (there.project / "computed.log").read_text() == "words\n"


@pytest.mark.minutes
def test_a_killed_run_starts_again_by_itself(scheduled: Scheduled) -> None:
    change_data(scheduled.project, "killed")
    time.sleep(SETTLED_SECONDS)
    run = scheduled.running(only_on_new_data=True, settings=["finetune.epochs=2"])
    params = scheduled.project / "params.yaml"
    scheduled.lab.wait(lambda: "epochs: 2" in params.read_text(), 120)
    for process in scheduled.lab.flow_processes(scheduled.project):
        process.kill()
    assert scheduled.lab.ended(run)["name"] == "Completed"
    states = scheduled.lab.states(run)
    # Where the machine is busy its second start may miss heartbeats, and starts once more.
    assert states.count("Running") in (2, 3)
    assert states[states.index("Crashed") + 1] == "AwaitingRetry"
    assert [status for there, status in scheduled.mlflow() if there == run].count("FINISHED") == 1
    assert "epochs: 2" not in params.read_text()
    assert any("a run died" in message["subject"] for message in scheduled.messages)


@pytest.mark.minutes
def test_a_run_that_died_with_its_worker_leaves_running_within_120_seconds(scheduled: Scheduled) -> None:
    change_data(scheduled.project, "killed with its worker")
    run = scheduled.running()
    scheduled.lab.kill("worker")
    for process in scheduled.lab.flow_processes(scheduled.project):
        process.kill()
    scheduled.lab.start("worker")
    scheduled.lab.wait(lambda: scheduled.lab.state(run)["type"] != "RUNNING", 120)
    assert scheduled.lab.ended(run)["name"] == "Completed"
    assert (scheduled.project / "second.txt").read_text() == "killed with its worker\n"


def test_a_user_error_is_told_with_stage_reason_and_next_step_and_not_tried_again(scheduled: Scheduled) -> None:
    dvc_yaml = scheduled.project / "dvc.yaml"
    text = dvc_yaml.read_text()
    whole = "sleep ${seconds}; cat first.txt > second.txt"
    assert whole in text
    dvc_yaml.write_text(text.replace(whole, "\"echo 'error: second is cracked'; exit 1\""))
    run = scheduled.lab.begin(scheduled.id, notify=BLOCK)
    assert scheduled.lab.ended(run)["type"] == "FAILED"
    dvc_yaml.write_text(text)
    (message,) = [one for one in scheduled.messages if "failed: second" in one["subject"]]
    assert "second: error: second is cracked" in message["body"]
    assert "then run again" in message["body"]
    assert run in message["body"], "the address of the run's page"


def test_a_look_at_what_servers_were_asked_may_have_nothing_to_do(scheduled: Scheduled) -> None:
    state = scheduled.lab.ended(scheduled.lab.begin(scheduled.id, only_on_drift=True))
    assert (state["name"], state["message"]) == ("Skipped", "no task has a champion yet")


def test_a_run_leaves_its_tables_in_prefect(scheduled: Scheduled) -> None:
    found = {there["key"]: there["data"] for there in scheduled.lab.ask("/artifacts/latest/filter", {})}
    rows = json.loads(found["project-stages"])
    assert {"data.dvc", "first", "second"} == {row["stage"] for row in rows}
    assert "/runs/" in found["project-links"]


def test_a_runs_page_and_its_artifacts_are_seen_in_the_browser(scheduled: Scheduled, tmp_path: Path) -> None:
    address = scheduled.lab.settings["PREFECT_API_URL"].removesuffix("/api")
    with open_browser() as browser:
        seen = look(browser, address, prefect_pages(address, "project"), tmp_path)
    assert set(seen) == {"flow run", "artifacts", "stages"}
