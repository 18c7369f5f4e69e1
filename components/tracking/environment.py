"""The environment of a run: the machine and the version of every installed package."""

from __future__ import annotations

import json
from importlib import metadata
from typing import Any

from components.machine import machine

ENVIRONMENT = "environment.json"


def environment() -> dict[str, Any]:
    """{"machine": see `components.machine`, "packages": name -> version}. No name of a host, no path."""
    # What an installation that was broken off has left has no name.
    found = {name: dist.version for dist in metadata.distributions() if (name := dist.metadata["Name"])}
    return {"machine": machine(), "packages": dict(sorted(found.items(), key=lambda one: one[0].lower()))}


def environment_text() -> str:
    """The environment as a run keeps it."""
    return json.dumps(environment(), indent=2) + "\n"
