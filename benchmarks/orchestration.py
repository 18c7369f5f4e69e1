"""What the drivers cost: the same stages through `lianzi run`, `dvc repro` and their bare commands, in turn.

python -m benchmarks.orchestration             a small project: minutes, measures the overhead
python -m benchmarks.orchestration --default   the project's own parameters, once each: three quarters of an hour
    python -m benchmarks.orchestration --unchanged PROJECT   only the run with nothing to do, in a project that has run
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from benchmarks.report import Figure, report
from components.forkserver.client import ADDRESS
from flows import env_defaults
from flows.graph import read_graph
from flows.settings import change_params
from tests.small_project import SETTINGS, make_small_project

ROOT = Path(__file__).parent.parent
NOTHING_CHANGED_GOAL = 5.0
"""Seconds in which a run with nothing to do must end."""


def main() -> int:
    """Measure and write benchmarks/results/orchestration.json, or orchestration_default.json."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--default", action="store_true", help="the project's own parameters and data")
    options.add_argument("--unchanged", type=Path, metavar="PROJECT", help="only the run with nothing to do, there")
    options.add_argument("--rounds", type=int, default=1)
    chosen = options.parse_args()
    env_defaults.prepare()
    note = "Seconds, median; lianzi run works on two stages side by side where the graph allows, the others on one"
    packages = ("prefect", "dvc", "mlflow")
    if chosen.unchanged:
        report("orchestration", unchanged_figures(chosen.unchanged.absolute()), packages, note)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        project = make_small_project(ROOT, Path(folder) / "project")
        if chosen.default:
            restore_defaults(project)
        drivers = {
            "bare": bare,
            "dvc": dvc,
            "lianzi": lianzi,
            "lianzi --parallel 1": one_by_one,
            "lianzi, no forks": without_forks,
        }
        full = in_turn(drivers, project, chosen.rounds, fresh=True)
        unchanged = unchanged_figures(project)
    kind = "default" if chosen.default else "small"
    figures = {
        f"{kind} run: lianzi run, bare commands": Figure(full["lianzi"], full["bare"], "s"),
        f"{kind} run: lianzi run, dvc repro": Figure(full["lianzi"], full["dvc"], "s"),
        f"{kind} run: dvc repro, bare commands": Figure(full["dvc"], full["bare"], "s"),
        f"{kind} run: lianzi run --parallel 1, bare commands": Figure(full["lianzi --parallel 1"], full["bare"], "s"),
        f"{kind} run: lianzi run, without forks": Figure(full["lianzi"], full["lianzi, no forks"], "s"),
        **unchanged,
    }
    report("orchestration_default" if chosen.default else "orchestration", figures, packages, note)
    return 0


def unchanged_figures(project: Path) -> dict[str, Figure]:
    """A run with nothing to do, in a project whose stages are all fresh and released."""
    spent = in_turn({"dvc": dvc, "lianzi": lianzi}, project, 5, fresh=False)
    return {
        "nothing changed: lianzi run, dvc repro": Figure(spent["lianzi"], spent["dvc"], "s"),
        "nothing changed: lianzi run, the 5 s allowed": Figure(spent["lianzi"], NOTHING_CHANGED_GOAL, "s", 1.0),
    }


def in_turn(drivers: dict[str, Callable[[Path], None]], project: Path, rounds: int, *, fresh: bool) -> dict[str, float]:
    """Median seconds a driver; with `fresh`, everything made before is removed first."""
    spent: dict[str, list[float]] = {name: [] for name in drivers}
    for _ in range(rounds):
        for name, drive in drivers.items():
            if fresh:
                clear(project)
            began = time.monotonic()
            drive(project)
            spent[name].append(time.monotonic() - began)
            print(f"{name}: {spent[name][-1]:.1f} s", flush=True)
    return {name: statistics.median(times) for name, times in spent.items()}


def clear(project: Path) -> None:
    """Back to a project nobody has run: no outputs, no lock, no cache of runs."""
    for name in ("artifacts", "reports", "metrics", ".lianzi", ".dvc/cache/runs"):
        shutil.rmtree(project / name, ignore_errors=True)
    (project / "dvc.lock").unlink(missing_ok=True)


def bare(project: Path) -> None:
    """Each stage's command, one after the other."""
    from dvc.repo import Repo

    with Repo(str(project)) as repo:
        commands = {str(stage.addressing): stage.cmd for stage in repo.index.stages if stage.cmd}
    for stage in read_graph(project):
        if stage.name in commands:
            _call(["sh", "-c", commands[stage.name]], project)


def dvc(project: Path) -> None:
    _call([sys.executable, "-m", "dvc", "repro"], project)


def lianzi(project: Path) -> None:
    _call([sys.executable, "-m", "cli.main", "run"], project)


def one_by_one(project: Path) -> None:
    """As `lianzi`, without what stages side by side save: what is left is what it costs."""
    _call([sys.executable, "-m", "cli.main", "run", "--parallel", "1"], project)


def without_forks(project: Path) -> None:
    """As `lianzi`, each stage a process that loads its libraries itself."""
    _call([sys.executable, "-m", "cli.main", "run"], project, {ADDRESS: ""})


def restore_defaults(project: Path) -> None:
    """The whole data and the shipped parameters instead of the small ones."""
    shutil.copy(ROOT / "params.yaml", project)
    change_params(project / "params.yaml", tuple(setting for setting in SETTINGS if setting.startswith("release.")))
    shutil.rmtree(project / "data")
    shutil.copytree(ROOT / "data", project / "data")
    _call([sys.executable, "-m", "dvc", "add", "-q", "data"], project)


def _call(words: list[str], project: Path, variables: Mapping[str, str] = MappingProxyType({})) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    settings = kept | {"PYTHONPATH": str(project), "PREFECT_HOME": str(project.parent / "prefect"), **variables}
    done = subprocess.run(words, cwd=project, env=settings, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


if __name__ == "__main__":
    sys.exit(main())
