"""Work on a Ray cluster; the only module that imports ray for data, once a cluster is asked for.

Ray hands a lost node's items to another.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from components.errors import ServiceError, first_line

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 2
"""Items a worker that are handed out ahead of the one whose result is awaited: bounds the memory, of any engine."""
TRIES = 20
"""Times that an item is given to another node when its own is lost."""
SECONDS_TO_ANSWER = 10


class RayEngine:
    """Each item is a Ray task; results are read in the items' order."""

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self.workers = max(1, int(ray.cluster_resources().get("CPU", 1)))

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        task = self._ray.remote(max_retries=TRIES)(_apply)
        waiting: deque[Any] = deque()
        for item in items:
            waiting.append(task.remote(function, item))
            if len(waiting) >= IN_FLIGHT * self.workers:
                yield self._ray.get(waiting.popleft())
        while waiting:
            yield self._ray.get(waiting.popleft())


@contextmanager
def ray_engine(address: str) -> Iterator[RayEngine]:
    """Raises ServiceError where no cluster answers at the address, or Ray is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise ServiceError(f"LIANZI_ENGINE={address}: Ray is not installed", "pip install 'lianzi[ray]'") from None
    environment = {"env_vars": {"PYTHONPATH": str(Path(__file__).parent.parent)}}
    ours = signal.getsignal(signal.SIGTERM)
    try:
        _knock(address)
        ray.init(address, runtime_env=environment, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        reason = first_line(error)
        hint = "start one: `ray start --head --disable-usage-stats`"
        raise ServiceError(f"LIANZI_ENGINE={address}: no Ray cluster: {reason}", hint) from None
    finally:
        # Ray sets a handler of its own, which would end the process without a word.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ours)
    try:
        yield RayEngine(ray)
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError where nothing listens: Ray itself would try for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_ANSWER).close()


def _apply(function: Callable[[Item], Result], item: Item) -> Result:
    return function(item)
