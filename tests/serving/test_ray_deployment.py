"""The application of a replica, and a real Ray Serve where ray[serve] is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML
from starlette.testclient import TestClient

from components.artifacts import digest
from components.errors import ArtifactError, ParameterError
from components.runtime.signing import make_keys
from components.serving import ray_deployment
from tests.serving.asking import texts
from tests.serving.running import free_port
from tests.small_ladder import Ladder

ROOT = Path(__file__).parents[2]
INFER = "/v2/models/places/infer"


def config() -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load(ROOT / "infra/ray_serve/topic.yaml")
    return content


def test_a_replica_answers_as_lianzi_serve_does(ladder: Ladder) -> None:
    with TestClient(ray_deployment.open_bundle(ladder.bundle)) as client:
        answer = client.post(INFER, json=texts("ship wave whale tide"))
        assert answer.json()["outputs"][0]["data"] == ["sea"]
        assert f"version={digest(ladder.bundle)[:12]}" in answer.headers["x-lianzi-trace"]
        assert client.get("/v2/health/ready").json() == {"ready": True}


def test_a_replica_refuses_what_the_key_did_not_sign(ladder: Ladder, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="not signed"):
        ray_deployment.open_bundle(ladder.bundle, str(make_keys(tmp_path / "key")))


@pytest.mark.parametrize(("arguments", "told"), [({}, "no bundle"), ({"bundle": "b", "keys": "c"}, "'keys'")])
def test_arguments_that_mean_nothing_are_refused(arguments: dict[str, str], told: str) -> None:
    with pytest.raises(ParameterError, match=f"{told} among the arguments"):
        ray_deployment.application(arguments)


def test_the_shipped_configuration_fits_the_code() -> None:
    shipped = config()["applications"][0]
    module, _, name = shipped["import_path"].partition(":")
    assert getattr(import_module(module), name) is ray_deployment.application
    assert set(shipped["args"]) <= set(ray_deployment.KNOWN)
    deployment = shipped["deployments"][0]
    assert deployment["name"] == ray_deployment.DEPLOYMENT
    assert deployment["autoscaling_config"]["target_ongoing_requests"] < deployment["max_ongoing_requests"]


@pytest.mark.slow
@pytest.mark.skipif(find_spec("grpc_reflection") is None, reason="no ray[serve]")
def test_ray_serve_runs_the_shipped_configuration(ladder: Ladder, tmp_path: Path) -> None:
    port, content = free_port(), config()
    content["http_options"]["port"] = port
    content["applications"][0]["args"] = {"bundle": str(ladder.bundle)}
    YAML().dump(content, tmp_path / "serve.yaml")
    settings = {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-m", "ray.serve.scripts", "run", "serve.yaml"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=os.environ | settings, stdout=log, stderr=log)
    try:
        answer = ask(process, f"http://127.0.0.1:{port}{INFER}")
        assert answer is not None, (tmp_path / "log").read_text()
        assert answer.json()["outputs"][0]["data"] == ["sea", "city"]
        assert "model=places" in answer.headers["x-lianzi-trace"]
    finally:
        process.terminate()
        process.wait(60)


def ask(process: subprocess.Popen[bytes], address: str) -> httpx.Response | None:
    """The first answer of a replica, as soon as there is one."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = httpx.post(address, json=texts("ship wave whale tide", "門 市 tower street"), timeout=20)
            if answer.status_code == 200:
                return answer
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    return None
