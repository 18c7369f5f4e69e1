"""`lianzi import --task`: a Hugging Face data set as the labelled rows of a task."""

from __future__ import annotations

import shutil
import tempfile
from itertools import count
from pathlib import Path

from components.artifacts import is_plain_name, write_json
from components.corpus.unversioned import refuse_unversioned
from components.errors import DataError, ParameterError
from components.importing.files import is_known
from components.importing.hub import load_splits
from components.importing.labelled import labelled_rows, renamed, task_splits
from components.importing.source import without_secrets
from components.importing.store import write_documents
from components.params import load_params

ABOUT = "imported.json"
"""Beside the rows: where they come from."""


def import_rows(
    root: Path, source: str, task: str, config: str | None, columns: tuple[str, ...], replace: bool
) -> list[str]:
    """Write data/tasks/TASK/{train,validation,test}.jsonl.zst. Returns lines on what was done, and what comes next.

    Raises LianziError; nothing is half-written then.
    """
    if not is_plain_name(task) or "." in task:
        raise ParameterError(f"--task {task!r:.100} is not a name for a task", "letters, digits, `_` and `-`")
    names = renamed(columns)
    source = _data_set(source)
    data = root / "data"
    if not data.is_dir():
        raise DataError("data/: missing", "`dvc pull data` fetches the sample data; `mkdir data` begins without")
    refuse_unversioned(data)
    target = data / "tasks" / task
    if target.exists() and any(target.iterdir()) and not replace:
        raise ParameterError(f"{target}: has rows already", "--replace imports them again; --task gives another name")
    loaded, about = load_splits(source, config)
    splits = task_splits(source, loaded)
    lines = []
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".import") as folder:
        made = Path(folder) / task
        made.mkdir()
        for split, rows in splits.items():
            counter = count()
            path = write_documents(
                made, split, (row for row, _ in zip(labelled_rows(source, split, rows, names), counter, strict=False))
            )
            lines.append(f"data/tasks/{task}/{path.name}: {next(counter):,} rows")
        write_json(made / ABOUT, {"kind": "dataset", "source": source, **about, "columns": names})
        if target.exists():
            shutil.rmtree(target)
        made.rename(target)
    return [*lines, *_next(root, task)]


def _data_set(source: str) -> str:
    """A folder, or a name that the hub may know; it is not asked for files and addresses."""
    path = Path(source).expanduser()
    if path.is_dir():
        return str(path)
    if "://" in source or path.is_file():
        raise ParameterError(
            f"{without_secrets(source)}: --task takes a Hugging Face data set",
            "files of rows go into data/tasks/TASK/ as they are: train, validation and test (docs/tasks.md)",
        )
    if is_known(path.name) or source.startswith((".", "/", "~")) or source.count("/") > 1:
        raise DataError(f"{source}: no such file or folder", "OWNER/NAME would be a Hugging Face data set")
    return source


def _next(root: Path, task: str) -> list[str]:
    if task in load_params(root / "params.yaml").tasks:
        return ["Next:", "  dvc add data     the new rows get their version", "  lianzi run"]
    entry = f"tasks.{task}={{kind: classification, language: en, max_length: 128}}"
    return [
        "Next:",
        "  dvc add data     the new rows get their version",
        f"  lianzi run --set '{entry}'     docs/tasks.md has the other kinds",
    ]
