"""Which stage begins next: so many run at a time, and the one with the longest chain of stages behind it goes first.

A run ends no sooner than its longest chain: what nothing but an evaluation waits for can wait itself (Hu 1961, highest
level first).
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from threading import Condition

LATE_SECONDS = 5.0
"""That a place is kept for a stage that could begin and has not asked yet: Prefect tells one after the other to."""
_LOOK_SECONDS = 0.5


def chains(needs: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Stage -> the stages of the longest chain that begins with it; `needs`: those that each one needs."""
    found: dict[str, int] = {}

    def length(name: str) -> int:
        if name not in found:
            found[name] = 1 + max((length(other) for other in needs if name in needs[other]), default=0)
        return found[name]

    return {name: length(name) for name in needs}


class StageQueue:
    """Places for `count` stages, for the threads that run them."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._changed = Condition()
        self._needs: dict[str, set[str]] = {}
        """Stages that have not asked yet -> what they wait for."""
        self._chains: dict[str, int] = {}
        self._aside: set[str] = set()
        self._asking: set[str] = set()
        self._expected: dict[str, float] = {}
        """Stages that could begin and have not asked, with the time since when."""

    def expect(self, needs: Mapping[str, Collection[str]], aside: Collection[str] = ()) -> None:
        """The stages that will run, with those that each one needs; `aside`: those that will ask for no place."""
        with self._changed:
            self._chains = chains(needs)
            self._needs = {name: set(others) for name, others in needs.items()}
            self._aside = set(aside)
            self._look_ahead()

    @contextmanager
    def place(self, name: str) -> Iterator[None]:
        """Wait for a place, and keep it."""
        with self._changed:
            self._expected.pop(name, None)
            self._needs.pop(name, None)
            self._asking.add(name)
            while not (self._free and self._first() == name):
                self._changed.wait(_LOOK_SECONDS)
            self._asking.remove(name)
            self._free -= 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def done(self, name: str) -> None:
        """A stage has its outputs: those that need it may begin."""
        with self._changed:
            self._needs.pop(name, None)
            for others in self._needs.values():
                others.discard(name)
            self._look_ahead()
            self._changed.notify_all()

    def _look_ahead(self) -> None:
        now = time.monotonic()
        for name, others in self._needs.items():
            if not others and name not in self._aside:
                self._expected.setdefault(name, now)

    def _first(self) -> str:
        late = time.monotonic() - LATE_SECONDS
        coming = {name for name, since in self._expected.items() if since > late}
        return max(sorted(self._asking | coming), key=lambda name: self._chains.get(name, 0))
