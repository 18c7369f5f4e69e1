"""The servers of a project that run now: a file each in .lianzi/servers/, which names address, process and models."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from components.replacing import replace_json

FOLDER = Path(".lianzi/servers")


@dataclass(frozen=True)
class Server:
    """models: name -> {"version", "digest"} of what answers; canaries: of what answers a share of the texts."""

    url: str
    pid: int
    models: Mapping[str, Mapping[str, str]]
    canaries: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    share: float = 0.0


def note_server(root: Path, server: Server) -> None:
    """Write, or replace, the file of a server, and remove those of killed ones. A full disk stops no server."""
    for path in (root / FOLDER).glob("*.json"):
        with suppress(OSError, ValueError):
            if not _runs(int(path.stem)):
                path.unlink()
    with suppress(OSError):
        replace_json(root / FOLDER / f"{server.pid}.json", asdict(server))


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
            server = Server(
                told["url"], int(told["pid"]), told["models"], told.get("canaries", {}), float(told.get("share", 0))
            )
            if _runs(server.pid):
                found.append(server)
    return found


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True
