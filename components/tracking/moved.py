"""A project that was moved or copied: MLflow stores absolute paths of its files, which then point elsewhere."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

_PLACES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
    "trace_tags": ("value",),
}
"""Table -> its columns that may contain a path in the project's folder."""


def moved_from(location: str, artifacts: Path) -> Path | None:
    """The former folder of the files that are now in `artifacts`, by the stored path; None where it is the same
    folder.
    """
    if not location.startswith("file:"):
        return None
    noted = Path(unquote(urlsplit(location).path))
    if noted == artifacts or noted.parts[-2:] != artifacts.parts[-2:]:
        return None
    # A path through a link is another name of the same folder; before the first run there is only the store's.
    same = noted.parent.exists() and artifacts.parent.exists() and noted.parent.samefile(artifacts.parent)
    return None if same else noted


def bring_along(database: Path, former: Path, root: Path) -> None:
    """Replace stored paths below `former` by paths below `root`, all in one transaction.

    A copied project thereby leaves the original's files alone.
    """
    with closing(sqlite3.connect(database, timeout=30)) as store, store:
        store.execute("BEGIN IMMEDIATE")
        for table, columns in _PLACES.items():
            there = {row[1] for row in store.execute(f"PRAGMA table_info({table})")}
            for column in there.intersection(columns):
                for old, new in ((former.as_uri(), root.as_uri()), (str(former), str(root))):
                    store.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                        (new, len(old) + 1, len(old) + 1, f"{old}/"),
                    )
