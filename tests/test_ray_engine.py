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

from components.engine import open_engine
from components.errors import ServiceError

pytest.importorskip("ray")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A real cluster of two local nodes with a CPU each."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    two = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    two.second = two.add_node(num_cpus=1)
    monkeypatch.setenv("LIANZI_ENGINE", two.address)
    yield two
    two.shutdown()


def slow_square(folder: Path, number: int) -> tuple[int, int]:
    (folder / f"begun-{number}-{os.getpid()}").touch()
    time.sleep(0.3)
    return number * number, os.getppid()


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
