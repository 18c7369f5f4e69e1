"""The servers of a project that run now: a file each in .lianzi/servers/, which names address, process and models."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from components.replacing import replace_json

FOLDER = Path(".lianzi/servers")


@dataclass(frozen=True)
class Server:
    """models: name -> {"version", "digest"} of what answers."""

    url: str
    pid: int
    models: Mapping[str, Mapping[str, str]]


def note_server(root: Path, server: Server) -> None:
    """Write, or replace, the file of a server. A disk that takes nothing stops no server."""
    told = {"url": server.url, "pid": server.pid, "models": server.models}
    with suppress(OSError):
        replace_json(root / FOLDER / f"{server.pid}.json", told)


def forget_server(root: Path, pid: int) -> None:
    """Remove the file of a server that ends."""
    with suppress(OSError):
        (root / FOLDER / f"{pid}.json").unlink(missing_ok=True)


def live_servers(root: Path) -> list[Server]:
    """Those whose process is there; the file of one that was killed is passed over."""
    found = []
    for path in sorted((root / FOLDER).glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(path.read_text(encoding="utf-8"))
            server = Server(told["url"], int(told["pid"]), told["models"])
            os.kill(server.pid, 0)
            found.append(server)
    return found
