"""A bundle on a machine that has nothing to train with: it predicts, and it is served."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.runtime.bundle import load_bundle
from tests.serving.asking import texts
from tests.serving.running import free_port
from tests.small_ladder import Ladder

ROOT = Path(__file__).parent.parent
TEXTS = ["ship wave whale tide", "門 市 tower street"]
TRAINING = {
    *("torch", "transformers", "pytorch_lightning", "lightning", "prefect", "dvc", "mlflow", "great_expectations"),
    *("datasets", "datatrove", "pandas", "pyarrow", "polars", "duckdb", "sklearn", "scipy", "ray", "onnx"),
    *("onnxscript", "matplotlib", "safetensors", "sqlalchemy", "networkx"),
}

BLOCKED = f"""
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TRAINING}:
            raise ModuleNotFoundError(f"{{name}} is for training", name=name)

sys.meta_path.insert(0, Refuse())
"""

PREDICT = """
import json
from pathlib import Path
from components.runtime.bundle import load_bundle
answers = load_bundle(Path(sys.argv[1])).predict(sys.argv[2:])
print(json.dumps([[answer.label, answer.scores] for answer in answers]))
"""

SERVE = """
from cli.main import main
main()
"""


def start(program: str, folder: Path, *words: object, **pipes: Any) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BLOCKED + program, *map(str, words)]
    return subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True, **pipes)


@pytest.fixture
def bundle(ladder: Ladder, tmp_path: Path) -> Path:
    return shutil.copytree(ladder.bundle, tmp_path / "elsewhere")


def test_the_blocked_packages_are_really_blocked(tmp_path: Path) -> None:
    done = start("import torch", tmp_path, stderr=subprocess.PIPE)
    assert "torch is for training" in done.communicate(timeout=180)[1]


def test_a_bundle_predicts_without_the_training_packages(bundle: Path, ladder: Ladder) -> None:
    done = start(PREDICT, bundle.parent, bundle, *TEXTS, stdout=subprocess.PIPE)
    out, _ = done.communicate(timeout=180)
    expected = load_bundle(ladder.bundle).predict(TEXTS)
    assert json.loads(out) == [[one.label, one.scores] for one in expected]


def test_a_bundle_is_served_without_the_training_packages(bundle: Path, ladder: Ladder) -> None:
    port = free_port()
    process = start(SERVE, bundle.parent, "serve", bundle, "--port", port, stderr=subprocess.PIPE)
    try:
        answer = ask(process, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        log = process.communicate(timeout=90)[1]
    expected = [one.label for one in load_bundle(ladder.bundle).predict(TEXTS)]
    assert answer["outputs"][0]["data"] == expected, log
    assert process.returncode == 0, log


def ask(process: subprocess.Popen[str], address: str) -> dict[str, Any]:
    """The answer to an infer request, as soon as there is one."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = httpx.post(f"{address}/v2/models/places/infer", json=texts(*TEXTS))
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        found: dict[str, Any] = answer.raise_for_status().json()
        return found
    raise AssertionError("it does not serve")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("uv") is None, reason="no uv to make an environment in seconds")
def test_the_lock_for_serving_is_enough_to_serve(bundle: Path, ladder: Ladder, tmp_path: Path) -> None:
    """As docs/serving.md has it for a machine that only serves."""
    source, environment = tmp_path / "source", tmp_path / "environment"
    for name in ("cli", "components", "flows", "lianzi"):
        shutil.copytree(ROOT / name, source / name)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    data = [name for names in build["tool"]["setuptools"]["data-files"].values() for name in names]
    for path in (path for pattern in ("pyproject.toml", "README.md", "LICENSE", *data) for path in ROOT.glob(pattern)):
        copy = source / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    settings = os.environ | {"UV_FIND_LINKS": os.environ.get("PIP_FIND_LINKS", "")}
    settings.pop("PYTHONPATH", None)
    for words in (
        ["venv", "--python", sys.executable, environment],
        ["pip", "install", "--python", environment, "-r", ROOT / "infra/locks/serve.lock"],
        ["pip", "install", "--python", environment, "--no-deps", source],
    ):
        subprocess.run(["uv", "--quiet", *map(str, words)], check=True, env=settings, timeout=300)
    assert not list(environment.glob("lib/*/site-packages/torch"))
    port = free_port()
    command = [environment / "bin" / "lianzi", "serve", bundle, "--port", str(port)]
    process = subprocess.Popen(command, cwd=tmp_path, env=settings, text=True, stderr=subprocess.PIPE)
    try:
        answer = ask(process, f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        log = process.communicate(timeout=90)[1]
    expected = [one.label for one in load_bundle(ladder.bundle).predict(TEXTS)]
    assert answer["outputs"][0]["data"] == expected, log
