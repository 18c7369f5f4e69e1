"""`dvc plots`: the page of this project needs no network, and a training's two curves stand in one plot."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from infra.plots_page import PAGE, heading, wanted
from tests.browser import open_browser

ROOT = Path(__file__).parent.parent
DVC_YAML = """
stages:
  train:
    cmd: "true"
    plots:
      - train.csv: {cache: false, template: curves, x: step, y: loss}
      - confusion.csv: {cache: false, template: confusion, x: actual, y: predicted}
"""
CURVES = "step,loss,validation_loss\n1,3.5,\n2,2.5,2.75\n3,2.0,\n4,1.5,2.25\n"


def test_the_page_has_the_versions_of_vega_that_dvc_asks_for() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert len(wanted()) == 3
    assert all(f"<!-- {heading(*package)}\n" in page for package in wanted().items())


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "train.csv").write_text(CURVES)
    (tmp_path / "confusion.csv").write_text("actual,predicted\ncat,cat\ncat,dog\ndog,dog\n")
    call(tmp_path, "dvc", "init", "-q", "--no-scm")
    shutil.copytree(ROOT / ".dvc" / "plots", tmp_path / ".dvc" / "plots")
    call(tmp_path, "dvc", "config", "plots.html_template", "plots/page.html")
    return tmp_path


@pytest.mark.slow
def test_curves_and_confusion_are_drawn_with_the_network_cut(project: Path) -> None:
    call(project, "dvc", "plots", "show", "-q")
    with open_browser() as browser:
        browser.execute_cdp_cmd("Network.enable", {})
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        browser.execute_cdp_cmd("Network.emulateNetworkConditions", offline)
        browser.get((project / "dvc_plots" / "index.html").as_uri())
        deadline = time.monotonic() + 120
        while browser.execute_script("return document.querySelectorAll('canvas').length") < 2:
            assert time.monotonic() < deadline, browser.page_source[-2000:]
            time.sleep(0.2)
        errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert errors == []


def test_the_losses_of_training_and_validation_stand_in_one_plot(project: Path) -> None:
    spec = json.loads(call(project, "dvc", "plots", "show", "train.csv", "--show-vega"))
    assert spec["transform"][0]["fold"] == ["loss", "validation_loss"]
    assert {"loss", "validation_loss"} <= spec["data"]["values"][0].keys()


def call(folder: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
