"""What infra/ says of serving fits the server: its options, its probes, its metrics, its folders.

The manifests were also checked, every field, against KServe 0.21's models and Kubernetes' schemas; see decision 0023.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from starlette.testclient import TestClient

from cli.serve import command as serve
from components.serving.ray_deployment import open_bundle
from tests.small_ladder import Ladder

ROOT = Path(__file__).parent.parent
SERVICES = ("queue", "concurrency", "triton")


def kserve(name: str) -> dict[str, Any]:
    content: dict[str, Any] = YAML(typ="safe").load(ROOT / "infra/kserve" / f"{name}.yaml")
    return content


def container() -> dict[str, Any]:
    found: dict[str, Any] = kserve("runtime")["spec"]["containers"][0]
    return found


def test_the_runtimes_command_is_one_that_lianzi_takes() -> None:
    assert container()["command"] == ["lianzi", "serve"]
    taken = serve.make_context("serve", list(container()["args"])).params
    assert taken["port"] == container()["ports"][0]["containerPort"]
    assert taken["host"] == "0.0.0.0"


@pytest.mark.parametrize("probe", ["readinessProbe", "livenessProbe"])
def test_the_probes_are_answered_without_a_key(ladder: Ladder, probe: str) -> None:
    front = open_bundle(ladder.bundle)
    front.keys = (b"a key",)
    with TestClient(front) as client:
        assert client.get(container()[probe]["httpGet"]["path"]).status_code == 200


def test_autoscaling_asks_for_a_metric_that_there_is(ladder: Ladder) -> None:
    metric = kserve("queue")["spec"]["predictor"]["autoScaling"]["metrics"][0]["external"]["metric"]
    name = re.search(r"\w+(?={)", metric["query"])
    assert name is not None
    with TestClient(open_bundle(ladder.bundle)) as client:
        assert f'{name[0]}{{model="places"}} 0.0' in client.get("/metrics").text


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_scales_and_names_its_runtime(name: str) -> None:
    predictor = kserve(name)["spec"]["predictor"]
    assert predictor["minReplicas"] < predictor["maxReplicas"]
    assert "autoScaling" in predictor or predictor["scaleMetric"] == "concurrency"
    if name != "triton":
        runtime = kserve("runtime")
        assert predictor["model"]["runtime"] == runtime["metadata"]["name"]
        assert predictor["model"]["modelFormat"]["name"] == runtime["spec"]["supportedModelFormats"][0]["name"]


def test_the_image_copies_what_there_is_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "infra/Dockerfile.serve").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert copied
    assert all((ROOT / name).exists() for name in copied)
    assert "USER 1000" in lines
    assert container()["securityContext"]["runAsUser"] == 1000
