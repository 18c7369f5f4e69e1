"""The project's turn: one run of the pipeline at a time, be it typed or scheduled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.lease import lease

TURN = Path(".lianzi/run.json")
_MINE: set[Path] = set()


@contextmanager
def turn(root: Path, what: str) -> Iterator[None]:
    """Wait, told in a line, until no other process runs this project's pipeline. Who has the turn keeps it."""
    place = root.resolve()
    if place in _MINE:
        yield
        return
    with lease(place / TURN, what, -1, lambda line: print(f"{line} (Ctrl-C: do not wait)", flush=True)):
        _MINE.add(place)
        try:
            yield
        finally:
            _MINE.discard(place)
