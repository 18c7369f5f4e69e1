"""Keeps libraries.yaml and folders.yaml up to date: inputs of results besides data, code and params.yaml."""

from __future__ import annotations

import json
import re
from pathlib import Path

from components.libraries import LIBRARIES_FILE, differences, noted
from components.params import Params, load_params
from components.replacing import replace_text
from components.starts import FOLDERS_FILE, STARTS, noted_folders, wanted_folder


def note_inputs(root: Path) -> list[str]:
    """Update both files. Returns a line for each change. Raises ParameterError where params.yaml names a missing
    folder.
    """
    libraries, folders = changed_libraries(root), changed_folders(root, load_params(root / "params.yaml"))
    _rewrite(root / LIBRARIES_FILE, "", {name: json.dumps(now) for name, (_, now) in libraries.items()})
    _rewrite(root / FOLDERS_FILE, "  ", {stage: json.dumps(now) for stage, (_, now) in folders.items()})
    return [
        *(f"{LIBRARIES_FILE}: {name}: {before} -> {now}" for name, (before, now) in libraries.items()),
        *(f"{FOLDERS_FILE}: {stage}: {before} -> {now}" for stage, (before, now) in folders.items()),
    ]


def changed_libraries(root: Path) -> dict[str, tuple[str, str]]:
    """Library -> recorded version, installed version. A missing library is left to the stage that needs it."""
    known = noted(root)
    return {name: (before, now) for name, (before, now) in differences(known, known).items() if now is not None}


def changed_folders(root: Path, params: Params) -> dict[str, tuple[str, str]]:
    """Stage -> recorded folder, folder in params.yaml."""
    known = noted_folders(root)
    wanted = {stage: wanted_folder(stage, params.section(stage)) for stage in STARTS if stage in known}
    return {stage: (known[stage], now) for stage, now in wanted.items() if known[stage] != now}


def _rewrite(path: Path, indent: str, values: dict[str, str]) -> None:
    """Replace values in a YAML file; its comments stay."""
    if not values:
        return
    text = path.read_text(encoding="utf-8")
    for key, value in values.items():
        found = re.search(rf"(?m)^{indent}{re.escape(key)}: +([^#\n]*?)( *#.*)?$", text)
        assert found is not None
        text = text[: found.start(1)] + value + text[found.end(1) :]
    replace_text(path, text)
