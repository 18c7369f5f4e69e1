"""cli.profiling: a profile in a process of its own, and what its failures are told as."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cli.profiling import SCRATCH, Graph, _failure, _watch, profile_stage, scratch_folder
from components.errors import DoesNotFit, LianziError, ServiceError
from components.planning import UNFIT
from flows.recipes import read_recipes
from flows.settings import what_if


def test_a_process_that_grows_past_what_is_free_is_told_on(tmp_path: Path) -> None:
    program = "import time; held = b'x' * 60_000_000; time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        with pytest.raises(DoesNotFit, match=r"pretrain needs more than the 0\.0 GB.*\n.*pretrain\.batch_size"):
            _watch("pretrain", process, 30_000_000)
    finally:
        process.kill()
        process.wait()


def test_a_fork_that_grows_past_what_is_free_is_told_on_too() -> None:
    forks = "import os, time; child = os.fork(); held = b'x' * (1 if child else 60_000_000); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", forks], start_new_session=True)
    try:
        with pytest.raises(DoesNotFit):
            _watch("pretrain", process, 50_000_000)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_failures_are_told_apart() -> None:
    mistake = _failure("pretrain", 1, "pretrain  10 %  9 tokens/s\nno such thing\ndo that\n")
    assert type(mistake) is LianziError
    assert str(mistake) == "pretrain: no such thing\ndo that"
    assert str(_failure("pretrain", UNFIT, "distill.epochs 0\nraise it\n")) == "distill.epochs 0\nraise it"
    assert isinstance(_failure("pretrain", -9, ""), DoesNotFit)
    assert isinstance(_failure("pretrain", 1, "Traceback (most recent call last)\nKeyError"), ServiceError)


@pytest.mark.slow
def test_seventy_billion_parameters_are_refused_unmade(
    root: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(root))
    monkeypatch.chdir(root)
    settings = ("model.depth=96", "model.width=null", "model.architecture=llama", "pretrain.objective.name=clm")
    with scratch_folder(project) as scratch:
        graph = Graph(what_if(root / "params.yaml", settings), read_recipes(root), frozenset(), None, scratch)
        found = profile_stage("pretrain", graph, project)
    assert found["measured"] is None
    assert found["fixed_memory"] > 600e9
    assert not list((project / SCRATCH).glob("profile-*"))
