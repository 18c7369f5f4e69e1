"""Environments of their own for tools whose requirements clash with the project's.

Each holds what one file pins, is made when it is first needed, and is kept until that file changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from components.errors import ServiceError

UV = Path(sys.executable).parent / "uv"
"""Takes seconds where pip takes minutes."""


def environment_python(folder: Path, pins: Path, sharing: bool = False) -> Path:
    """The interpreter of the environment in `folder`, made when there is none or its pins have changed.

    `sharing`: it sees the project's own packages through a .pth file, so that only what is missing or of another
    version has to be installed. Raises ServiceError.
    """
    python, mark, ours = folder / "bin" / "python", folder / ".pins", sysconfig.get_path("purelib")
    wanted = pins.read_text(encoding="utf-8") + (f"{ours}\n" if sharing else "")
    if mark.is_file() and mark.read_text(encoding="utf-8") == wanted:
        return python
    print(f"Setting up {folder} from {pins.name} …", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", *(["--without-pip"] if UV.is_file() else []), str(folder)])
    if sharing:
        packages = next(folder.glob("lib/python*/site-packages"))
        (packages / "project.pth").write_text(f"{ours}\n", encoding="utf-8")
    _install(python, pins, ["--no-deps"] if sharing else [])
    mark.write_text(wanted, encoding="utf-8")
    return python


def _install(python: Path, pins: Path, options: list[str]) -> None:
    """With uv where this environment has it (as `make setup` does), else with pip."""
    if UV.is_file():
        links = os.environ.get("UV_FIND_LINKS") or os.environ.get("PIP_FIND_LINKS", "")
        _run(
            [str(UV), "pip", "install", "--quiet", "--python", str(python), *options, "-r", str(pins)],
            UV_FIND_LINKS=links,
        )
    else:
        _run([str(python), "-m", "pip", "install", "--quiet", *options, "-r", str(pins)])


def _run(words: list[str], **settings: str) -> None:
    done = subprocess.run(words, env=os.environ | settings, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"]
        raise ServiceError(f"{' '.join(words)} failed: {last[0]}", "is a package registry within reach?")
