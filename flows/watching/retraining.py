"""Whether drift is a reason to train again: only where rows came that the champion has not learned from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from components.artifacts import digest
from components.registry import Version
from components.replacing import replace_json
from flows.scheduling.new_data import data_is_stale, fingerprint

NOTE = "drift.json"
"""In a task's folder: the champion that drifted, since when, the data for which a run was tried, and that run."""


def news(root: Path, task: str, champion: Version) -> str:
    """What came since the champion was trained, in words; "" where a training would learn nothing new."""
    if champion.tags.get("rows") != digest(root / "artifacts" / "tasks" / task):
        return f"artifacts/tasks/{task} has other rows than v{champion.version} learned from"
    return "data/ has changed since the last run" if data_is_stale(root) else ""


def note_drift(folder: Path, version: int, since: str) -> None:
    """Remember that a champion has drifted, until another one is champion: a window is looked at once."""
    if not _note(folder, version):
        replace_json(folder / NOTE, {"version": version, "since": since, "tried": "", "run": ""})


def retraining(root: Path, folder: Path, task: str, champion: Version, run_id: str) -> tuple[bool, str]:
    """Whether to train again, and why or why not; noted as tried. `run_id`: of the scheduled run that asks, ""
    without; the same one, started again after a crash, goes on."""
    note, version = _note(folder, champion.version), champion.version
    if not note:
        return False, f"{task}: v{version} has not drifted: nothing to train again for"
    why, data = news(root, task, champion), fingerprint(root)
    if note["tried"] == data and not (run_id and note["run"] == run_id):
        return False, f"{task}: a run on this data was tried since v{version} drifted; its report and gates say more"
    if not why:
        return False, (
            f"{task}: v{version} drifted ({note['since']}), but no labelled row came since it was trained: training "
            "again would learn nothing new"
        )
    replace_json(folder / NOTE, note | {"tried": data, "run": run_id})
    return True, f"{task}: training again: {why}"


def not_tried(folder: Path, version: int) -> None:
    """Forget a run that failed: the next look tries its data again.

    For a person's command alone: what is on a schedule would fail every few minutes on the same data.
    """
    if note := _note(folder, version):
        replace_json(folder / NOTE, note | {"tried": "", "run": ""})


def _note(folder: Path, version: int) -> dict[str, Any]:
    """Empty where this version has not drifted."""
    try:
        found: dict[str, Any] = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return found if found["version"] == version and {"since", "tried", "run"} <= found.keys() else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
