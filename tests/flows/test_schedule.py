"""flows.schedule: projects told apart, and a server that is there. A real schedule runs in test_pipeline.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli.main import main
from flows.scheduling.deployments import deployment_name


def test_a_project_is_known_by_its_folder() -> None:
    assert deployment_name("lianzi", "host:/a/lianzi", {}) == "nightly-lianzi"
    assert deployment_name("my project/%", "host:/a", {}) == "nightly-my-project-"


def test_a_project_keeps_its_deployment() -> None:
    assert deployment_name("lianzi", "host:/a", {"nightly-lianzi": ["mine", "host:/a"]}) == "nightly-lianzi"


def test_a_project_of_the_same_name_elsewhere_gets_another() -> None:
    there = {"nightly-lianzi": ["host:/a/lianzi"]}
    second = deployment_name("lianzi", "host:/b/lianzi", there)
    assert second.startswith("nightly-lianzi-")
    # Also where the short name is free again: no project has two.
    assert deployment_name("lianzi", "host:/b/lianzi", {second: ["host:/b/lianzi"]}) == second
    assert deployment_name("lianzi", "other:/a/lianzi", there) not in ("nightly-lianzi", second)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", "no Prefect server is configured"),
        ("http://127.0.0.1:9/api", "Prefect (http://127.0.0.1:9/api) does not answer"),
    ],
)
def test_without_a_server_nothing_is_deployed(project: Path, root: Path, address: str, told: str) -> None:
    settings = {"PREFECT_API_URL": address, "PREFECT_HOME": str(project / "home"), "PYTHONPATH": str(root)}
    words = [sys.executable, "-m", "cli.main", "schedule"]
    done = subprocess.run(words, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"error: {told}" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--cron", "every night"], "--cron 'every night': not a cron expression"),
        (["--set", "finetune.epohcs=1"], "did you mean 'finetune.epochs'?"),
    ],
)
def test_a_plan_that_means_nothing_is_refused_before_a_server_is_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    refused = CliRunner().invoke(main, ["schedule", *words])
    assert refused.exit_code == 1
    assert told in refused.output
