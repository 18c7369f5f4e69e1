from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cli.build import build_bundle, chosen_engine
from components.artifacts import write_manifest
from components.errors import ArtifactError, EngineError, ParameterError
from components.inference.engine_store import engine_folder
from components.inference.engines import ENGINES, BuildOptions, Profile
from components.inference.nvidia import nvidia_host
from tests.small_ladder import Ladder

RTX = ENGINES["tensorrt-rtx"]
needs_rtx = pytest.mark.skipif(RTX.available() is not None, reason=f"{RTX.available()}")
PLAIN = BuildOptions()
ROOT = Path(__file__).parents[2]

NOT_NEEDED = ("torch", "transformers", "lightning", "pytorch_lightning", "mlflow", "prefect", "dvc", "onnx", "sklearn")
BLOCKED = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_NEEDED}:
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Blocker())
from cli.main import main
main()
"""


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_engine_that_runs_here_is_compared(ladder: Ladder, capsys: pytest.CaptureFixture[str]) -> None:
    found = build_bundle("onnxruntime", ladder.bundle, None, PLAIN, 0.05)
    assert [status["status"] for status in found.values()] == ["built and run"]
    told = capsys.readouterr().out
    assert "engine onnxruntime: built and run" in told
    assert "answers agree on 100.0%" in told


@needs_rtx
@pytest.mark.skipif(nvidia_host().device is not None, reason="there is a GPU here")
def test_without_a_gpu_it_is_built_not_run_with_its_status_beside_it(
    ladder: Ladder, capsys: pytest.CaptureFixture[str]
) -> None:
    build_bundle("tensorrt-rtx", ladder.bundle, None, PLAIN, 0.05)
    told = capsys.readouterr().out
    assert "engine tensorrt-rtx: built, not run (tensorrt-rtx cannot run here:" in told
    assert "nothing was compared" in told
    manifest = json.loads((ladder.bundle / "manifest.json").read_text())
    folder = engine_folder(
        RTX, ladder.bundle / "models/fp32/model.onnx", Profile(manifest["max_batch"], manifest["max_length"])
    )
    assert json.loads((folder / "status.json").read_text())["status"] == "built, not run"
    assert (folder / "fingerprint.json").is_file()


@needs_rtx
def test_nothing_that_trains_is_needed(ladder: Ladder, tmp_path: Path) -> None:
    words = ["build", "--engine", "tensorrt-rtx", str(ladder.bundle)]
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "engine tensorrt-rtx: built" in done.stdout


def test_every_graph_of_a_language_models_bundle_is_built(ladder: Ladder, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    paths = {name: f"models/fp32/{name}.onnx" for name in ("encoder", "decoder")}
    (folder / "models/fp32").mkdir(parents=True)
    for path in paths.values():
        shutil.copyfile(ladder.onnx / "model.onnx", folder / path)
    shutil.copyfile(ladder.bundle / "tokenizer.json", folder / "tokenizer.json")
    described = {"pad_id": 0, "start_id": 1, "stop_ids": [2], "framed": False, "chat_template": None}
    named = {"form": "generation", "name": "small", "ladder": ["fp32"], "candidate": "fp32", "rungs": {"fp32": paths}}
    beside = {"special_tokens": {}, "split_special_tokens": False, "max_batch": 2, "max_length": 8}
    write_manifest(folder, "bundle", {}, **named, **described, **beside)
    found = build_bundle("onnxruntime", folder, None, PLAIN, 0.05)
    assert {name: status["status"] for name, status in found.items()} == dict.fromkeys(paths, "built and run")


def test_an_engine_further_off_than_allowed_is_refused(ladder: Ladder) -> None:
    with pytest.raises(EngineError, match=r"onnxruntime: its outputs differ by 0, -1 is allowed"):
        build_bundle("onnxruntime", ladder.bundle, None, PLAIN, -1)


def test_a_name_that_is_no_engine_is_told_with_those_that_are() -> None:
    with pytest.raises(ParameterError, match="no engine 'tensorflow'\nknown: onnxruntime, openvino"):
        chosen_engine("tensorflow", PLAIN)


def test_options_of_tensorrt_are_refused_elsewhere() -> None:
    with pytest.raises(ParameterError, match="onnxruntime has no such options"):
        chosen_engine("onnxruntime", BuildOptions(refit=True))


def test_an_engine_that_is_not_there_says_why() -> None:
    missing = next(name for name, engine in ENGINES.items() if engine.available())
    with pytest.raises(EngineError, match=f"^{missing}: "):
        chosen_engine(missing, PLAIN)


def test_a_rung_that_is_not_there_is_told_with_those_that_are(ladder: Ladder) -> None:
    with pytest.raises(ArtifactError, match=r"no rung 'fp4'\nit has fp32, .*int8"):
        build_bundle("onnxruntime", ladder.bundle, "fp4", PLAIN, 0.05)


def test_a_bundles_real_samples_are_asked(
    ladder: Ladder, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = np.array([[1, 40, 41, 2]])
    monkeypatch.setattr("cli.build.read_samples", lambda _: [{"input_ids": ids, "attention_mask": np.ones_like(ids)}])
    build_bundle("onnxruntime", ladder.bundle, "fp32", PLAIN, 0.05)
    assert "on 1 inputs (the bundle's samples)" in capsys.readouterr().out
