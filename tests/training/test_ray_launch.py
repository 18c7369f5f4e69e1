"""components.training.ray_launch: two workers of a Ray cluster of two nodes train as two processes here do."""

from __future__ import annotations

import csv
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from components.artifacts import digest
from components.errors import Interrupted, ParameterError
from components.training import ray_launch
from components.training.config import TrainerConfig
from tests.small_cluster import two_nodes
from tests.small_trainings import environment, remove_outputs, small_training_project, words

BASE = ("pretrain.steps=100", "pretrain.precision=fp32", "pretrain.average_decay=0.5", "trainer.devices=2")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a cluster of two nodes with one processor each, whose own settings are not those of a training here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("LIANZI_CACHE", str(tmp_path_factory.mktemp("of_the_nodes")))
        cluster = two_nodes()
        try:
            yield cluster.address
        finally:
            cluster.shutdown()


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project trained by two processes of this machine."""
    folder = small_training_project(tmp_path_factory.mktemp("here") / "project", BASE)
    finished(start(folder, "local"))
    return folder


def start(folder: Path, engine: str, stage: str = "pretrain") -> subprocess.Popen[str]:
    remove_outputs(stage, folder)
    return subprocess.Popen(
        [sys.executable, "-m", "components", *words(stage)],
        cwd=folder,
        env=environment() | {"LIANZI_ENGINE": engine},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finished(process: subprocess.Popen[str], code: int = 0) -> str:
    told, _ = process.communicate(timeout=900)  # two workers that wait for each other suffer most from a busy machine
    assert process.returncode == code, told
    return told


def curves(folder: Path) -> list[dict[str, float]]:
    with (folder / "pretrain.csv").open() as stream:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(stream)]


@pytest.mark.slow
def test_two_workers_of_ray_end_with_the_weights_of_two_processes(address: str, here: Path, tmp_path: Path) -> None:
    folder = small_training_project(tmp_path / "project", BASE)
    finished(start(folder, address))
    assert digest(folder / "pretrained") == digest(here / "pretrained")
    assert curves(folder) == curves(here)
    assert not list(folder.glob(".ray-*"))


@pytest.mark.slow
def test_sharded_over_two_workers_the_losses_are_the_same(address: str, here: Path, tmp_path: Path) -> None:
    folder = small_training_project(tmp_path / "project", (*BASE, "trainer.strategy=fsdp"))
    finished(start(folder, address))
    # Sums in another order: what they differ by grows with the steps.
    for row, expected in zip(curves(folder)[:30], curves(here)[:30], strict=True):
        assert row == pytest.approx(expected, rel=1e-3)
    assert curves(folder)[-1]["loss"] == pytest.approx(curves(here)[-1]["loss"], rel=1e-2)


@pytest.mark.slow
def test_interrupted_on_ray_a_training_goes_on_there_to_the_same_weights(
    address: str, here: Path, tmp_path: Path
) -> None:
    folder = small_training_project(tmp_path / "project", BASE)
    process = start(folder, address)
    wait_for_a_checkpoint(folder, process)
    process.terminate()
    assert finished(process, 130).count("run again to go on from there") == 1
    assert "going on from step" in finished(start(folder, address))
    assert digest(folder / "pretrained") == digest(here / "pretrained")


def wait_for_a_checkpoint(folder: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 200
    while not list(folder.glob(".cache/checkpoints/pretrain/*/step-*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.slow
def test_a_mistake_found_by_the_workers_is_told_once_without_a_traceback(address: str, tmp_path: Path) -> None:
    folder = small_training_project(tmp_path / "project", (*BASE, "pretrain.learning_rate=1.0e+30"))
    told = finished(start(folder, address), 1)
    assert told.count("non-finite loss or gradient norm") == 1
    assert "Traceback" not in told


@pytest.mark.slow
def test_a_cluster_that_is_too_small_is_named(address: str, tmp_path: Path) -> None:
    folder = small_training_project(tmp_path / "project", ("trainer.devices=2", "pretrain.threads=2"))
    told = finished(start(folder, address), 1)
    assert "trainer.devices 2: each takes 2 CPU, the Ray cluster has 2" in told


def config(devices: int) -> TrainerConfig:
    return TrainerConfig(devices=devices, strategy="ddp", accumulate=1, checkpoint_activations=False, compile=False)


@pytest.mark.parametrize(
    ("engine", "devices", "wanted"), [("local", 2, False), ("auto", 1, False), ("auto", 2, True), (None, 2, False)]
)
def test_ray_trains_where_it_is_the_engine_and_there_is_more_than_one_device(
    engine: str | None, devices: int, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIANZI_ENGINE", raising=False)
    if engine is not None:
        monkeypatch.setenv("LIANZI_ENGINE", engine)
    assert ray_launch.wanted(config(devices)) == wanted


def test_a_process_that_ray_did_not_start_is_no_worker() -> None:
    import ray.train  # noqa: F401

    assert not ray_launch.inside()


def test_of_several_failures_the_leading_ones_message_counts() -> None:
    first, second = ParameterError("first"), Interrupted("second")
    failures: dict[int, Sequence[BaseException] | BaseException] = {1: second, 0: first, 2: ValueError()}
    assert ray_launch._cause(failures) is first  # type: ignore[arg-type]
    assert ray_launch._cause({0: ValueError()}) is None
