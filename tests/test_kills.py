"""SIGKILL at any moment, and damage to what was saved: the training ends as if nothing had happened."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from components.artifacts import digest, file_hash
from components.tasks.kinds import KINDS
from flows.settings import change_params
from tests.preloaded import preloaded
from tests.small_store import copy_project
from tests.small_trainings import environment, remove_outputs, small_training_project, words


@pytest.mark.slow
def test_trainings_of_every_kind_killed_again_and_again_end_with_the_same_bits_in_one_run(root: Path) -> None:
    program = [sys.executable, "-m", "benchmarks.kills", "--kills", "12"]
    done = subprocess.run(program, cwd=root, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    told = re.findall(r"^(.+): killed .* went on from a checkpoint$", done.stdout, re.MULTILINE)
    assert told == ["pretrain", *(f"{stage} {kind}" for kind in KINDS for stage in ("finetune", "distill"))]


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.fixture(scope="module")
def peaceful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = small_training_project(tmp_path_factory.mktemp("peaceful") / "project", ["pretrain.steps=40"])
    assert pretrain(folder).wait(240) == 0
    return folder


@pytest.fixture(scope="module")
def stopped_half_way(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose training ended with SIGKILL when it had saved ten times: the last two of these are there."""
    folder = small_training_project(tmp_path_factory.mktemp("half_way") / "project", ["pretrain.steps=40"])
    assert pretrain(folder, ("tests.stopping", "SIGKILL", "10")).wait(240) == -signal.SIGKILL
    return folder


def pretrain(folder: Path, module: Sequence[str] = ("components",), **options: int) -> subprocess.Popen[str]:
    remove_outputs("pretrain", folder)
    command = [sys.executable, "-m", *module, *words("pretrain")]
    return subprocess.Popen(command, cwd=folder, env=environment() | preloaded(), text=True, **options)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("weights.safetensors", flipped),
        ("optimizer.safetensors", halved),
        ("progress.json", flipped),
        ("manifest.json", halved),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_leads_to_the_same_weights(
    name: str, damage: Callable[[Path], None], peaceful: Path, stopped_half_way: Path, tmp_path: Path
) -> None:
    folder = copy_project(stopped_half_way, tmp_path / "project")
    older, newest = sorted(checkpoints(folder))
    damage(newest / name)
    process = pretrain(folder, stdout=subprocess.PIPE)
    told, _ = process.communicate(timeout=240)
    assert process.returncode == 0
    assert f"checkpoint refused: {(newest / name).relative_to(folder)}: damaged" in told
    assert f"going on from step {int(older.name.split('-')[1])} of 40" in told
    assert digest(folder / "pretrained") == digest(peaceful / "pretrained")
    assert file_hash(folder / "pretrain.csv") == file_hash(peaceful / "pretrain.csv")


DVC_YAML = f"""
stages:
  pretrain:
    cmd: python -m components {" ".join(words("pretrain"))}
    deps: [tokens, tokenizer]
    params: [seed, model, trainer, pretrain]
    outs: [pretrained]
    metrics: [{{pretrain.json: {{cache: false}}}}]
    plots: [{{pretrain.csv: {{cache: false}}}}]
"""


def repro(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", "pretrain"]
    return subprocess.Popen(
        command, cwd=folder, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def checkpoints(folder: Path) -> set[Path]:
    return set(folder.glob(".cache/checkpoints/pretrain/*/step-*"))


def at_work(process: subprocess.Popen[str], folder: Path) -> psutil.Process:
    """The stage under a `dvc repro`, once it has saved a checkpoint that was not there before."""
    before = checkpoints(folder)
    deadline = time.monotonic() + 120
    while not checkpoints(folder) - before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    family = psutil.Process(process.pid).children(recursive=True)
    return next(child for child in family if "components" in child.cmdline() and "sh" not in Path(child.exe()).name)


@pytest.mark.slow
def test_under_dvc_neither_an_edit_nor_a_kill_makes_a_record_false_or_trains_twice(tmp_path: Path) -> None:
    folder = small_training_project(tmp_path / "project", ["pretrain.steps=60"])
    (folder / "dvc.yaml").write_text(DVC_YAML)
    subprocess.run([sys.executable, "-m", "dvc", "init", "-q", "--no-scm"], cwd=folder, check=True)

    # An edit while it runs: DVC would take the new value for the one that was used.
    edited = repro(folder)
    at_work(edited, folder)
    change_params(folder / "params.yaml", ("pretrain.learning_rate=0.5",))
    told, _ = edited.communicate(timeout=240)
    assert edited.returncode != 0
    assert "changed while the stage ran: params.yaml: pretrain.learning_rate: 0.003 -> 0.5" in told
    assert not (folder / "dvc.lock").exists()
    assert not (folder / "pretrained").exists()
    kept = checkpoints(folder)
    assert kept

    # Long enough to be at work still when the next one comes.
    change_params(folder / "params.yaml", ("pretrain.steps=250",))
    # Killed under its `dvc repro`: the next one waits for the training that is left, and goes on from its checkpoint.
    killed = repro(folder)
    stage = at_work(killed, folder)
    assert {path.parent for path in checkpoints(folder) - kept}.isdisjoint(path.parent for path in kept)
    killed.kill()
    killed.communicate()
    again = repro(folder)
    told, _ = again.communicate(timeout=240)
    assert not stage.is_running()
    assert again.returncode == 0, told
    assert re.search(r"pretrain: going on from step \d+ of 250", told), told
    assert "learning_rate: 0.5" in (folder / "dvc.lock").read_text()
    assert kept <= checkpoints(folder)
