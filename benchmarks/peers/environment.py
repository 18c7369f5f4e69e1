"""Environments for peers: .cache/peers/NAME holds what benchmarks/peers/NAME.txt pins, and is kept until that changes.

A peer's script runs there as its own process and ends with one line of JSON on stdout.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent
KEPT = PEERS.parent.parent / ".cache" / "peers"


def peer_python(name: str) -> Path:
    """The interpreter of the environment NAME, made when there is none or its pins have changed."""
    folder, pins = KEPT / name, PEERS / f"{name}.txt"
    python, mark = folder / "bin" / "python", folder / ".pins"
    if mark.is_file() and mark.read_text(encoding="utf-8") == pins.read_text(encoding="utf-8"):
        return python
    print(f"Setting up {folder} from {pins.name} …", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _call([sys.executable, "-m", "venv", str(folder)])
    _install(python, pins)
    mark.write_text(pins.read_text(encoding="utf-8"), encoding="utf-8")
    return python


def call_script(python: Path, *words: object, **settings: str) -> dict[str, Any]:
    """Run a script, with `settings` added to the environment variables, and return the JSON it ends with."""
    lines = _call([str(python), *map(str, words)], **settings).splitlines()
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _install(python: Path, pins: Path) -> None:
    """With uv where this environment has it (as `make setup` does), else with pip."""
    uv = Path(sys.executable).parent / "uv"
    if uv.is_file():
        links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")
        _call([str(uv), "pip", "install", "--quiet", "--python", str(python), "-r", str(pins)], UV_FIND_LINKS=links)
    else:
        _call([str(python), "-m", "pip", "install", "--quiet", "-r", str(pins)])


def _call(words: list[str], **settings: str) -> str:
    done = subprocess.run(words, env=os.environ | settings, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
