"""Files of state that are replaced at once: a kill, or a full disk, leaves the old content or the new one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.artifacts import write_json


def replace_text(path: Path, text: str) -> None:
    """Give a file this text. Raises OSError; the file then is as it was."""
    with _replaced(path) as partial:
        partial.write_text(text, encoding="utf-8")


def replace_json(path: Path, content: Any) -> None:
    """Give a file this content, as `write_json` writes it. Raises OSError; the file then is as it was."""
    with _replaced(path) as partial:
        write_json(partial, content)


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """A file of this process beside it to write, which then takes its place: of two writers the last one stays whole.

    A process that was killed leaves it; git ignores it by its name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
