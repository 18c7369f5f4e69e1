"""The same work on a Ray cluster: the same results, a node that is lost included."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.corpus.curate import curate
from components.engine import open_engine
from components.errors import ServiceError
from components.run import RecordedRun
from components.tokenization.config import TokenizeConfig
from components.tokenization.pack import tokenize
from tests.corpus.small_corpus import SOURCES, TASKS, curate_config, small_data
from tests.small_artifacts import small_tokenizer
from tests.small_cluster import two_nodes

pytest.importorskip("ray")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A real cluster of two local nodes with a CPU each."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    two = two_nodes()
    monkeypatch.setenv("LIANZI_ENGINE", two.address)
    yield two
    two.shutdown()


def slow_square(folder: Path, number: int) -> tuple[int, str]:
    """With the node that it was computed on."""
    import ray

    (folder / f"begun-{number}-{os.getpid()}").touch()
    time.sleep(0.3)
    return number * number, ray.get_runtime_context().get_node_id()


@pytest.mark.slow
def test_work_goes_on_where_a_node_is_lost(cluster: Any, tmp_path: Path) -> None:
    def lose_a_node() -> None:
        while len(list(tmp_path.glob("begun-*"))) < 6:
            time.sleep(0.05)
        cluster.remove_node(cluster.second, allow_graceful=False)

    with open_engine() as engine:
        assert engine.workers == 2
        loser = threading.Thread(target=lose_a_node)
        loser.start()
        results = list(engine.map(partial(slow_square, tmp_path), range(16)))
        loser.join()
    assert [square for square, _ in results] == [number * number for number in range(16)]
    assert len({node for _, node in results}) == 2  # both nodes had a part in it


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_ENGINE", "127.0.0.1:1")
    with pytest.raises(ServiceError, match=r"LIANZI_ENGINE=127\.0\.0\.1:1: no Ray cluster"), open_engine():
        pass


@pytest.mark.slow
def test_curation_and_tokenization_give_the_same_bytes_where_a_node_is_lost(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.corpus.blocks.BLOCK_ROWS", 10)
    data = small_data(tmp_path / "data")
    small_tokenizer(tmp_path / "tokenizer")
    address = os.environ["LIANZI_ENGINE"]
    monkeypatch.setenv("LIANZI_ENGINE", "local")
    monkeypatch.setenv("LIANZI_WORKERS", "1")
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache-local"))
    made(data, tmp_path / "tokenizer", tmp_path / "local")

    def lose_a_node() -> None:
        while not list((tmp_path / "cache-ray").rglob("*.parquet")):
            time.sleep(0.01)
        cluster.remove_node(cluster.second, allow_graceful=False)

    monkeypatch.setenv("LIANZI_ENGINE", address)
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache-ray"))
    loser = threading.Thread(target=lose_a_node)
    loser.start()
    made(data, tmp_path / "tokenizer", tmp_path / "ray")
    loser.join()
    assert contents(tmp_path / "local") == contents(tmp_path / "ray")


def made(data: Path, tokenizer: Path, out: Path) -> None:
    """Corpus, tasks and tokens."""
    paths = (data, data / "none", out / "corpus", out / "tasks", out / "report")
    curate(curate_config(), SOURCES, TASKS, 1, *paths, RecordedRun())
    tokenize(TokenizeConfig(shard_tokens=1024), SOURCES, out / "corpus", tokenizer, out / "tokens", RecordedRun())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
