"""The champion of a task, read from the project's own SQLite store in a millisecond: importing MLflow takes seconds.

What is not exactly as expected (a server, a moved project, another schema) is left to components.registry.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from components.artifacts import MANIFEST
from components.tracking.store import project_root, sqlite_path, tracking_uri

CHAMPION = "champion"
CHALLENGER = "challenger"
"""The alias of a version that passed every gate and is not champion yet."""
BUNDLE = Path("data", "bundle")
"""Where a registered model keeps its bundle."""
_LOOKUP = """
SELECT version, coalesce(nullif(storage_location, ''), source) FROM registered_model_aliases
JOIN model_versions USING (workspace, name, version) WHERE alias = ? AND name = ?
"""


def champion_bundle(task: str) -> Path | None:
    """The folder of the champion's bundle, or None where this way does not tell."""
    database = sqlite_path(tracking_uri())
    if database is None or not database.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=5)) as store:
            found = store.execute(_LOOKUP, (CHAMPION, task)).fetchall()
    except sqlite3.Error:
        return None
    return _own(found[0][1]) if len(found) == 1 else None


def _own(location: str) -> Path | None:
    """A place below the project's own mlflow/: a copied project may note the original's, until MLflow mends that."""
    folder = Path(unquote(urlsplit(location).path) if location.startswith("file:") else location, BUNDLE)
    own = (project_root() / "mlflow").resolve()
    inside = folder.is_absolute() and folder.resolve().is_relative_to(own)
    return folder if inside and (folder / MANIFEST).is_file() else None
