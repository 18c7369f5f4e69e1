"""How long a command takes that has little to do: the commands of two checkouts in turn, in a project that has run.

python -m benchmarks.starts PROJECT --peer CHECKOUT    this checkout and another one, for example the commit before
    --rounds 9           of each command and checkout, in turn
    --keep               write benchmarks/results/starts.json, where the figures are good to keep: on an idle machine

Two clocks: what a person waits for, the start of Python included, and the time that a processor worked, which a busy
machine changes less. The code is that of a checkout, the project stays where it is, and nothing in it changes: a first
round, which nobody times, brings it there.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.report import Figure, report, show

ROOT = Path(__file__).parent.parent
COMMANDS = {
    "predict": (("predict", "form", "床前明月光，疑是地上霜。举头望明月，低头思故乡。"), 1.0),
    "predict, no champion": (("predict", "topic", "The whale is a mammal."), None),
    "status": (("status",), 1.0),
    "run, nothing to do": (("run",), 1.2),
}
"""Name -> the words behind `lianzi`, and the seconds that it may take on an idle machine."""

LEFT_OUT = ("MLFLOW_TRACKING_URI", "PYTHONDONTWRITEBYTECODE")
"""Variables under which another store would be asked, or every file be compiled anew."""


class Spent(NamedTuple):
    """Seconds of one command: by the clock, and of a processor."""

    clock: float
    processor: float


Rounds = dict[str, dict[str, list[Spent]]]
"""Command -> checkout -> what each round took."""


def main() -> int:
    """Measure, print, and write where that is asked for."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("project", type=Path)
    options.add_argument("--peer", type=Path, required=True, metavar="CHECKOUT")
    options.add_argument("--rounds", type=int, default=9)
    options.add_argument("--only", nargs="*", choices=COMMANDS, default=[*COMMANDS])
    options.add_argument("--keep", action="store_true")
    chosen = options.parse_args()
    commands = {name: words for name, (words, _) in COMMANDS.items() if name in chosen.only}
    found = in_turn(commands, {"ours": ROOT, "peer": chosen.peer.absolute()}, chosen.project, chosen.rounds)
    note = f"Seconds, of {chosen.rounds} rounds in turn; peer: an earlier checkout, or the seconds allowed"
    if chosen.keep:
        report("starts", figures(found), ("dvc", "mlflow", "onnxruntime", "pydantic"), note)
    else:
        show(figures(found), note)
    return 0


def in_turn(commands: Mapping[str, Sequence[str]], checkouts: Mapping[str, Path], project: Path, rounds: int) -> Rounds:
    """The seconds of each command from each checkout; the order turns round with every round."""
    found: Rounds = {name: {checkout: [] for checkout in checkouts} for name in commands}
    for number in range(rounds + 1):
        for name, words in commands.items():
            for checkout in [*checkouts][:: 1 if number % 2 else -1]:
                spent = one_round(words, checkouts[checkout], project)
                if number:
                    found[name][checkout].append(spent)
                    print(f"{name}, {checkout}: {spent.clock:.2f} s (processor {spent.processor:.2f} s)", flush=True)
    return found


def one_round(words: Sequence[str], checkout: Path, project: Path) -> Spent:
    """Of one command. It may end with an error that is told in a line, as that of a task without a champion does."""
    # -P: a project's folder, in which the command works, holds code of its own.
    program = [sys.executable, "-P", "-c", "from cli.main import main; main()", *words]
    settings = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    settings |= {"PYTHONPATH": str(checkout)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(program, cwd=project, env=settings, capture_output=True, text=True, check=False)
    after, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    if done.returncode and not done.stderr.startswith("error:"):
        sys.exit(f"lianzi {' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return Spent(clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def figures(found: Rounds) -> dict[str, Figure]:
    """Median, fastest and slowest round of each command, beside the other checkout's; and what is allowed."""
    kinds = {"median": median, "fastest": min, "slowest": max}
    made = {}
    for name, rounds in found.items():
        for place, clock in enumerate(Spent._fields):
            for kind, of in kinds.items():
                ours, peer = (of([one[place] for one in rounds[checkout]]) for checkout in ("ours", "peer"))
                made[f"{name}: {clock}, {kind}"] = Figure(ours, peer, "s")
    for name, rounds in found.items():
        if (allowed := COMMANDS[name][1]) is not None:
            ours = median(one.clock for one in rounds["ours"])
            made[f"{name}: clock, median, of {allowed:g} s allowed"] = Figure(ours, allowed, "s", 1.0)
    return made


if __name__ == "__main__":
    sys.exit(main())
