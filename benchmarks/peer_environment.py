"""Environments for peers that the project itself does not need: .cache/peers/NAME, made from benchmarks/peers/NAME.txt.

Such an environment sees the project's own packages through a .pth file, so both sides of a comparison run on the very
same libraries, and only what the peer needs beyond them is installed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parent.parent


def reenter(name: str, module: str, arguments: list[str]) -> None:
    """Start `module` again with the interpreter of the peers' environment; nothing when it runs there already."""
    folder = ROOT / ".cache" / "peers" / name
    if Path(sys.prefix) == folder:
        return
    interpreter = _interpreter(folder, ROOT / "benchmarks" / "peers" / f"{name}.txt")
    os.execv(interpreter, [str(interpreter), "-m", module, *arguments])


def _interpreter(folder: Path, pins: Path) -> Path:
    """The environment's interpreter, made or brought up to date if its pins or the project's packages changed."""
    interpreter, mark, ours = folder / "bin" / "python", folder / ".pins", sysconfig.get_path("purelib")
    wanted = f"{pins.read_text(encoding='utf-8')}{ours}\n"
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        print(f"Setting up {folder.relative_to(ROOT)} from {pins.relative_to(ROOT)} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", folder], check=True)
        packages = next(folder.glob("lib/python*/site-packages"))
        (packages / "project.pth").write_text(f"{ours}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--requirement", str(pins)], check=True)
        mark.write_text(wanted, encoding="utf-8")
    return interpreter
