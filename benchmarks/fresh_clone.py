"""How long somebody waits who has just cloned the project: `make run` and `make test`, set-up included.

python -m benchmarks.fresh_clone [--targets run test]    of the commit that is checked out; changed files stay out

Each target runs in a clone and a home of its own, one after the other. What uv has downloaded before it need not
download again. benchmarks/results/fresh_clone.json: seconds beside those allowed; a target measured before stays in it.
The exit code is make's own where one fails, and nothing is written.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.report import RESULTS, Figure, recorded, report

ROOT = Path(__file__).parent.parent
ALLOWED = {"run": 300.0, "test": 900.0}
"""Seconds of each target."""

LEFT_OUT = ("MLFLOW_TRACKING_URI", "PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL")
"""Variables that somebody with a fresh clone has not: another store, another code, no compiled modules."""


def main() -> int:
    """Measure, print and write."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--targets", nargs="+", choices=ALLOWED, default=[*ALLOWED])
    chosen = options.parse_args()
    figures = recorded("fresh_clone")
    for target in chosen.targets:
        seconds, code = clocked(target)
        if code:
            print(
                f"error: make {target} ended with {code} after {seconds:.0f} s: nothing was recorded", file=sys.stderr
            )
            return code
        figures[f"make {target}, {ALLOWED[target]:.0f} s allowed"] = Figure(seconds, ALLOWED[target], "s", 1.0)
    note = "Seconds in a fresh clone with a fresh home, set-up included, downloads of packages not"
    report("fresh_clone", dict(sorted(figures.items())), ("dvc", "mlflow", "prefect", "torch"), note)
    print(f"written to {RESULTS / 'fresh_clone.json'}")
    return 0


def clocked(target: str) -> tuple[float, int]:
    """Seconds that `make TARGET` took in a fresh clone, and its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        clone, home = Path(folder, "clone"), Path(folder, "home")
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        variables = {name: value for name, value in os.environ.items() if name not in LEFT_OUT} | {"HOME": str(home)}
        began = time.perf_counter()
        code = subprocess.run(["make", target], cwd=clone, env=variables).returncode
        return time.perf_counter() - began, code


if __name__ == "__main__":
    sys.exit(main())
