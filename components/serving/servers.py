"""The servers of a project that run now: a file each in .lianzi/servers/, which names address, process and models."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from components.replacing import replace_json

FOLDER = Path(".lianzi/servers")
HOST = platform.node()
"""Several hosts, or containers, may share a project's folder; a process id says nothing at another one."""


@dataclass(frozen=True)
class Server:
    """models: name -> {"version", "digest"} of what answers; canaries: of what answers a share of the texts."""

    url: str
    pid: int
    models: Mapping[str, Mapping[str, str]]
    canaries: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    share: float = 0.0


def note_server(root: Path, server: Server) -> None:
    """Write, or replace, the file of a server, and remove this host's killed ones. A full disk stops no server."""
    for path in _of_this_host(root):
        with suppress(OSError, ValueError):
            if not _runs(int(path.name.partition("@")[0])):
                path.unlink()
    with suppress(OSError):
        replace_json(_file(root, server.pid), asdict(server))


def forget_server(root: Path, pid: int) -> None:
    """Remove the file of a server that ends."""
    with suppress(OSError):
        _file(root, pid).unlink(missing_ok=True)


def live_servers(root: Path) -> list[Server]:
    """Those of this host whose process is there; the file of one that was killed is passed over."""
    found = []
    for path in _of_this_host(root):
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(path.read_text(encoding="utf-8"))
            server = Server(
                told["url"], int(told["pid"]), told["models"], told.get("canaries", {}), float(told.get("share", 0))
            )
            if _runs(server.pid):
                found.append(server)
    return found


def _file(root: Path, pid: int) -> Path:
    return root / FOLDER / f"{pid}@{HOST}.json"


def _of_this_host(root: Path) -> list[Path]:
    return sorted(path for path in (root / FOLDER).glob("*.json") if path.name.endswith(f"@{HOST}.json"))


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True
