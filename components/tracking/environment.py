"""The environment of a run: the machine and the version of every installed package."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any

from components.machine import machine

ENVIRONMENT = "environment.json"


def environment() -> dict[str, Any]:
    """{"machine": see `components.machine`, "packages": name -> version}. No name of a host, no path."""
    found = {name: dist.version for dist in metadata.distributions() if (name := _name(dist))}
    return {"machine": machine(), "packages": dict(sorted(found.items(), key=lambda one: one[0].lower()))}


def _name(dist: metadata.Distribution) -> str | None:
    """None of what a broken installation has left. `importlib_metadata`, if a library has put it in place, raises."""
    try:
        return dist.metadata["Name"]
    except FileNotFoundError:
        return None


def environment_text() -> str:
    """The environment as a run keeps it."""
    return json.dumps(environment(), indent=2) + "\n"
