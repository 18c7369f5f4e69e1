"""Environments for peers: .cache/peers/NAME holds what benchmarks/peers/NAME.txt pins, and is kept until that changes.

python -m benchmarks.peers.environment NAME… makes some, such as those that tests look for and do not make.
A peer's script runs there as its own process and ends with one line of JSON on stdout.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

PEERS = Path(__file__).parent
KEPT = PEERS.parent.parent / ".cache" / "peers"


def peer_python(name: str, sharing: bool = False) -> Path:
    """The interpreter of the environment NAME, made when there is none or its pins have changed.

    `sharing`: it sees the project's own packages through a .pth file, so both sides of a comparison run on the very
    same libraries, and only what the peer needs beyond them is installed.
    """
    folder, pins = KEPT / name, PEERS / f"{name}.txt"
    python, mark, ours = folder / "bin" / "python", folder / ".pins", sysconfig.get_path("purelib")
    wanted = pins.read_text(encoding="utf-8") + (f"{ours}\n" if sharing else "")
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
        return python
    print(f"Setting up {folder} from {pins.name} …", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _call([sys.executable, "-m", "venv", str(folder)])
    if sharing:
        packages = next(folder.glob("lib/python*/site-packages"))
        (packages / "project.pth").write_text(f"{ours}\n", encoding="utf-8")
    _install(python, pins, ["--no-deps"] if sharing else [])
    mark.write_text(wanted, encoding="utf-8")
    return python


def reenter(name: str, module: str, arguments: list[str]) -> None:
    """Start `module` again with the interpreter of the sharing environment NAME; nothing when it runs there already."""
    if Path(sys.prefix) != KEPT / name:
        python = peer_python(name, sharing=True)
        os.execv(python, [str(python), "-m", module, *arguments])


def call_script(python: Path, *words: object, **settings: str) -> dict[str, Any]:
    """Run a script, with `settings` added to the environment variables, and return the JSON it ends with."""
    lines = _call([str(python), *map(str, words)], **settings).splitlines()
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def _install(python: Path, pins: Path, options: list[str]) -> None:
    """With uv where this environment has it (as `make setup` does), else with pip."""
    uv = Path(sys.executable).parent / "uv"
    if uv.is_file():
        links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")
        _call(
            [str(uv), "pip", "install", "--quiet", "--python", str(python), *options, "-r", str(pins)],
            UV_FIND_LINKS=links,
        )
    else:
        _call([str(python), "-m", "pip", "install", "--quiet", *options, "-r", str(pins)])


def _call(words: list[str], **settings: str) -> str:
    done = subprocess.run(words, env=os.environ | settings, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        print(peer_python(wanted))
