from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from cli.live import live
from cli.main import main
from cli.serve import RECORD, REQUESTS, Champions, bundle_release, bundle_releases, first_models, say, wanted
from components import tracking
from components.artifacts import digest, write_json
from components.errors import ArtifactError, ParameterError
from components.registry import Registry
from components.runtime.signing import make_keys, sign_bundle
from components.serving.model_repository import Release
from tests.serving.asking import texts
from tests.serving.running import ROOT, free_port, running

INFER = "/v2/models/places/infer"


def other_bundle(ladder: Any, folder: Path) -> Path:
    """The same model under another digest."""
    shutil.copytree(ladder.bundle, folder)
    write_json(folder / "manifest.json", json.loads((folder / "manifest.json").read_text()) | {"note": "B"})
    return folder


def name_the_task(project: Path) -> None:
    path = project / "params.yaml"
    content = YAML(typ="safe").load(path.read_text())
    content["tasks"] = {"places": {"kind": "classification", "language": "en", "max_length": 24}}
    YAML().dump(content, path)


@pytest.mark.parametrize(
    ("what", "tasks", "alias"),
    [
        ("champion", ["topic", "form"], "champion"),
        ("challenger", ["topic", "form"], "challenger"),
        ("form", ["form"], "champion"),
        ("form@challenger", ["form"], "challenger"),
    ],
)
def test_an_alias_means_every_task_and_a_task_its_champion(what: str, tasks: list[str], alias: str) -> None:
    assert wanted(what, ["topic", "form"]) == (tasks, alias)


@pytest.mark.parametrize("what", ["moods", "moods@champion", "form@", "form@winner"])
def test_what_is_neither_is_refused(what: str) -> None:
    with pytest.raises(
        ParameterError, match=r"is neither .*\nknown: champion, challenger, topic, form, TASK@challenger"
    ):
        wanted(what, ["topic", "form"])


def test_a_bundle_by_itself_is_known_by_its_task_and_digest(ladder: Any, tmp_path: Path) -> None:
    release = bundle_release(ladder.bundle)
    assert (release.name, release.version) == ("places", digest(ladder.bundle)[:12])
    with pytest.raises(ArtifactError, match="no bundle here"):
        bundle_release(tmp_path)


def test_two_bundles_of_one_name_are_not_served_together(ladder: Any, tmp_path: Path) -> None:
    other = other_bundle(ladder, tmp_path / "bundle")
    assert [one.name for one in bundle_releases([other])] == ["places"]
    with pytest.raises(ParameterError, match="are both of 'places'\nserve them on two ports"):
        bundle_releases([ladder.bundle, other])


def test_what_was_served_last_is_remembered_for_its_store_and_as_long_as_it_is_the_same(
    ladder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:1")
    bundle = other_bundle(ladder, tmp_path / "bundle")
    champions = Champions(tmp_path, ["places"])
    assert champions.remembered() == []
    release = bundle_release(bundle)
    champions._remember(release)
    assert "secret" not in (tmp_path / RECORD).read_text()
    assert champions.remembered() == [release]
    assert Champions(tmp_path, ["topic"]).remembered() == []

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:2")
    assert champions.remembered() == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    write_json(bundle / "manifest.json", {})
    assert champions.remembered() == []


def test_what_is_remembered_outlives_a_full_disk_and_a_file_that_is_none(
    ladder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    champions, release = Champions(tmp_path, ["places"]), bundle_release(ladder.bundle)
    champions._remember(release)
    (tmp_path / RECORD.with_name(f".{RECORD.name}.{os.getpid()}.partial")).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        champions._remember(release)
    assert champions.remembered() == [release]
    for content in ("", "[]", "{}", '{"store": 1, "champions": 2}', '{"champions": {}}', "\0"):
        (tmp_path / RECORD).write_text(content)
        assert champions.remembered() == []


def test_a_log_that_cannot_be_written_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115  closing it fails too
    with monkeypatch.context() as patch:
        patch.setattr("sys.stderr", full)
        say("a line")
    with suppress(OSError):
        full.close()


@pytest.mark.parametrize("name", ["timeout", "drain", "max-delay", "poll", "log-requests"])
def test_a_bound_that_is_no_number_is_refused(name: str, ladder: Any) -> None:
    done = CliRunner().invoke(main, ["serve", str(ladder.bundle), "--port", str(free_port()), f"--{name}", "nan"])
    assert done.exit_code != 0
    assert "nan" in done.output
    assert len(done.output.splitlines()) < 6


def test_the_process_ends_whatever_is_still_at_work_and_with_0() -> None:
    program = """
import threading
from components.serving.limits import Limits
from components.serving.service import Service
from cli.serve import _leave

threading.Thread(target=threading.Event().wait).start()
service = Service(Limits())
service.workers.busy = 1
print("leaving", flush=True)
_leave(service, None, None)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stdout, done.stderr) == (0, "leaving\n", "")


def test_with_a_public_key_only_what_it_signed_is_served(ladder: Any, tmp_path: Path, monkeypatch: Any) -> None:
    bundle, public = other_bundle(ladder, tmp_path / "bundle"), make_keys(tmp_path / "key")
    words = ["serve", str(bundle), "--port", str(free_port())]
    done = CliRunner().invoke(main, [*words, "--public-key", str(public)])
    assert (done.exit_code, "not signed" in done.output) == (1, True)
    # By the environment too.
    monkeypatch.setenv("LIANZI_PUBLIC_KEY", str(public))
    sign_bundle(bundle, tmp_path / "key")
    (bundle / "models" / "extra").write_bytes(b"x")
    assert "models/extra: not listed in manifest.json" in CliRunner().invoke(main, words).output


@pytest.mark.slow
def test_a_signed_bundle_is_served(ladder: Any, tmp_path: Path) -> None:
    bundle, public = other_bundle(ladder, tmp_path / "bundle"), make_keys(tmp_path / "key")
    sign_bundle(bundle, tmp_path / "key")
    with running(tmp_path, bundle, "--public-key", str(public)) as server:
        assert httpx.post(f"{server.address}{INFER}", json=texts("ship wave")).status_code == 200


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["moods"], "'moods' is neither a bundle's folder nor a task"),
        (["some/folder"], "some/folder: no bundle here"),
        (["places", "some/folder"], "several are served only from their folders"),
        (["places", "--tls-cert", "params.yaml"], "--tls-cert and --tls-key go together"),
        (["places", "--api-key-file", "nowhere"], "nowhere: cannot be read"),
        (["places"], "places: no champion yet\n`lianzi run` trains and releases one, or says why not"),
    ],
)
def test_mistakes_end_in_a_line_or_two(words: list[str], told: str, project: Path) -> None:
    name_the_task(project)
    done = CliRunner().invoke(main, ["serve", *words, "--port", str(free_port())])
    assert done.exit_code == 1
    assert told in done.output.replace(f"{project}/", "")


def test_a_port_in_use_is_told(ladder: Any) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = CliRunner().invoke(main, ["serve", str(ladder.bundle), "--port", str(port)])
    assert done.exit_code == 1
    assert f"port {port} is in use" in done.output


def test_a_certificate_that_is_none_is_told(ladder: Any, tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("words")
    paths = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "cert.pem")]
    done = CliRunner().invoke(main, ["serve", str(ladder.bundle), "--port", str(free_port()), *paths])
    assert done.exit_code == 1
    assert "certificate and key cannot be used" in done.output


class Askers:
    """Threads that ask without a pause and note code and model of every answer."""

    def __init__(self, address: str, count: int = 4) -> None:
        self.answers: list[tuple[int, str]] = []
        self.failures: list[Exception] = []
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(address,)) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self, address: str) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._stopped.is_set():
                try:
                    answer = client.post(f"{address}{INFER}", json=texts("ship wave whale tide"))
                except httpx.HTTPError as error:
                    self.failures.append(error)
                    continue
                trace = dict(part.split("=") for part in answer.headers["x-lianzi-trace"].split(";"))
                if answer.status_code == 200 and answer.json()["model_version"] != trace["version"]:
                    self.failures.append(AssertionError(f"{answer.json()['model_version']} answered, {trace} says"))
                self.answers.append((answer.status_code, trace["version"]))

    def await_version(self, version: str, seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while self.answers[-1:] != [(200, version)]:
            assert time.monotonic() < deadline, (self.answers[-1:], self.failures[-1:])
            time.sleep(0.05)

    def stop(self) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(30)


@pytest.mark.slow
def test_champions_change_under_load_without_a_failed_request_and_outlive_a_restart(project: Path, ladder: Any) -> None:
    name_the_task(project)
    with tracking.pipeline_run("pipeline", {}) as run:
        registry = Registry()
        registry.register("places", ladder.bundle, {}, run.id)
        registry.register("places", other_bundle(ladder, project / "artifacts/b/bundle"), {}, run.id)
    registry.set_champion("places", 1)
    with running(project, "champion", "--poll", "0.3") as server:
        askers = Askers(server.address)
        try:
            askers.await_version("1")
            for version in (2, 1):
                registry.set_champion("places", version)
                askers.await_version(str(version))
        finally:
            askers.stop()
        assert askers.failures == []
        assert {code for code, _ in askers.answers} == {200}
        assert {version for _, version in askers.answers} == {"1", "2"}
        server.process.kill()

    # The registry is gone; what was served last is served again.
    (project / "mlflow/mlflow.db").rename(project / "mlflow/away.db")
    with running(project, "champion", "--poll", "0.3") as server:
        time.sleep(2)
        answer = httpx.post(f"{server.address}{INFER}", json=texts("ship wave whale tide"))
        assert (answer.status_code, answer.json()["model_version"]) == (200, "1")


def versions_of(address: str) -> list[str]:
    """Which version answers each of forty texts."""
    with httpx.Client(timeout=30) as client:
        answers = [client.post(f"{address}{INFER}", json=texts(f"ship wave {number}")) for number in range(40)]
    return [answer.json()["model_version"] for answer in answers]


@pytest.mark.slow
def test_a_challenger_answers_a_share_of_the_texts_until_it_is_champion(project: Path, ladder: Any) -> None:
    name_the_task(project)
    with tracking.pipeline_run("pipeline", {}) as run:
        registry = Registry()
        registry.register("places", ladder.bundle, {}, run.id)
        registry.register("places", other_bundle(ladder, project / "artifacts/b/bundle"), {}, run.id)
    registry.set_champion("places", 1)
    registry.set_challenger("places", 2)
    with running(project, "champion", "--poll", "0.3", "--canary", "0.5", "--log-requests", "1") as server:
        deadline = time.monotonic() + 120
        while "2" not in versions_of(server.address):
            assert time.monotonic() < deadline
        first = versions_of(server.address)
        assert 8 <= first.count("2") <= 32
        assert versions_of(server.address) == first
        assert f"places: canary v2 answers 50.0% of texts at {server.address}" in list(live(project, ["places"]))
        registry.promote("places", "canary")
        deadline = time.monotonic() + 120
        while set(versions_of(server.address)) != {"2"}:
            assert time.monotonic() < deadline
        server.process.terminate()
        assert server.process.wait(120) == 0
    rows = [json.loads(line) for line in (project / REQUESTS).read_text().splitlines()]
    logged = {(row["text"], row["version"], row["canary"]) for row in rows}
    assert {(f"ship wave {number}", told, told == "2") for number, told in enumerate(first)} <= logged


def test_a_canary_of_every_text_is_refused(project: Path) -> None:
    done = CliRunner().invoke(main, ["serve", "champion", "--canary", "1"])
    assert done.exit_code != 0
    assert "0<x<1" in done.output


def test_only_champions_are_loaded_before_the_server_answers(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name_the_task(project)
    champion = Release("places", "1", project)
    monkeypatch.setattr(Champions, "current", lambda self: [champion, replace(champion, version="2", canary=True)])
    load_one: Any = lambda release: release  # noqa: E731
    assert first_models(["champion"], load_one, canaries=True)[0] == [champion]


@pytest.mark.parametrize(
    ("what", "told"), [("places@challenger", "is the challenger itself"), ("BUNDLE", "folders have no challenger")]
)
def test_a_canary_needs_a_champion_beside_it(what: str, told: str, project: Path, ladder: Any) -> None:
    name_the_task(project)
    words = [str(ladder.bundle) if what == "BUNDLE" else what, "--canary", "0.1", "--port", str(free_port())]
    done = CliRunner().invoke(main, ["serve", *words])
    assert done.exit_code == 1
    assert told in done.output


def test_a_challenger_whose_bundle_is_gone_keeps_no_champion_back(
    project: Path, ladder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project / "mlflow" / "artifacts" / "model1"
    shutil.copytree(ladder.bundle, folder / "data" / "bundle")
    client = tracking.connect()
    client.create_registered_model("places")
    for place in (folder.as_uri(), (project / "gone").as_uri()):
        client.create_model_version("places", place)
    registry = Registry()
    registry.set_champion("places", 1)
    registry.set_challenger("places", 2)
    champions = Champions(project, ["places"], canaries=True)
    for _ in range(2):
        assert [(one.version, one.canary) for one in champions.current()] == [("1", False)]
    assert capsys.readouterr().err.count("places: v2 is no canary: ") == 1
