"""Benchmarks for a GPU, run as scripts where there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def run_script(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE WORDS` in the checkout, whatever its exit code."""
    command = [sys.executable, "-m", module, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
