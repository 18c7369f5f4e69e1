"""Kill trainings with SIGKILL at random moments until each has ended once, and compare with one left in peace.

python -m benchmarks.kills [--kills 100] [--seed 1] [--stages pretrain finetune distill] [--kinds classification …]

Fine-tuning and distillation come for a task of each kind; the kills are shared out among all trainings.

Every try is a process of its own that runs the stage's real command; it is forked from one that has the libraries
loaded, so a try costs a second instead of ten. A third of the kills aim into the writing of a checkpoint, a third into
a validation, the rest anywhere. Afterwards the outputs must be the same bytes, and MLflow must hold one run of the
stage with every metric step exactly once.
"""

from __future__ import annotations

import argparse
import mmap
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import machine
from components.artifacts import MANIFEST, digest, file_hash, write_json
from components.forkserver.server import import_stages
from components.tasks.kinds import KINDS
from flows import env_defaults
from tests import small_trainings
from tests.small_trainings import PATHS, SETTINGS_OF, remove_outputs, small_training_project, words

RESULTS = Path(__file__).parent / "results" / "kills.json"
ELSEWHERE, SAVING, VALIDATING = range(3)
MOMENTS = {"anywhere": ELSEWHERE, "save": SAVING, "validation": VALIDATING}
LONGEST = 120.0
"""Seconds after which a try counts as hung."""

SETTINGS = (
    "pretrain.steps=60",
    "pretrain.average_decay=0.9",
    "finetune.optimizer=muon",
    "finetune.epochs=2",
    "finetune.batch_size=16",
    "distill.epochs=2",
    "distill.batch_size=16",
)


@dataclass
class Outcome:
    """What the kills of a stage did. `landed`: how many hit which moment; `resumed`: tries that found a checkpoint."""

    landed: dict[str, int]
    resumed: int
    tries: int
    faults: list[str]


def main() -> int:
    """Kill, compare, report; 1 when anything differs."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--seed", type=int, default=1)
    # The control without pretraining is trained by the code of fine-tuning.
    usual = ["pretrain", "finetune", "distill"]
    options.add_argument("--stages", nargs="+", choices=list(PATHS), default=usual)
    options.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    options.add_argument("--record", action="store_true", help="write benchmarks/results/kills.json")
    chosen = options.parse_args()
    prepare()
    trainings = [
        (kind, stage)
        for place, kind in enumerate(chosen.kinds)
        for stage in chosen.stages
        if place == 0 or stage != "pretrain"  # which sees no task's rows
    ]
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory() as name:
        sources = make_projects(Path(name), chosen.kinds)
        for number, (kind, stage) in enumerate(trainings):
            kills = chosen.kills * (number + 1) // len(trainings) - chosen.kills * number // len(trainings)
            found = torment(stage, sources[kind], Path(name, kind), kills, random.Random(chosen.seed + number))
            title = stage if stage == "pretrain" else f"{stage} {kind}"
            outcomes[title] = found
            print(f"{title}: killed {found.landed}, {found.resumed} of {found.tries} tries went on from a checkpoint")
            for fault in found.faults:
                print(f"  FAULT {fault}")
    if chosen.record:
        write_json(RESULTS, {"stages": {name: vars(told) for name, told in outcomes.items()}, "machine": machine()})
    return int(any(told.faults for told in outcomes.values()))


def prepare() -> None:
    """Load what every try needs, and nothing that starts threads: the tries are forked from here."""
    env_defaults.prepare()
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    os.environ |= small_trainings.environment()
    import_stages()


def make_projects(folder: Path, kinds: Sequence[str]) -> dict[str, Path]:
    """For each kind a small project, pretrained and fine-tuned in peace for the later stages."""
    made: dict[str, Path] = {}
    pretrained: dict[tuple[str, ...], Path] = {}
    for kind in kinds:
        project = small_training_project(folder / kind / "source", SETTINGS, kind)
        shutil.copytree(project / "mlflow", project / "empty")
        if known := pretrained.get(model := SETTINGS_OF.get(kind, ())):
            shutil.copytree(known, project / "pretrained")
        else:
            in_peace("pretrain", project)
            pretrained[model] = project / "pretrained"
        in_peace("finetune", project)
        made[kind] = project
    return made


def in_peace(stage: str, folder: Path) -> None:
    """Run a stage to its end."""
    if run(stage, folder) != 0:
        raise SystemExit(f"error: {stage} fails in peace:\n{(folder / 'log').read_text()}")


def torment(stage: str, source: Path, folder: Path, kills: int, chance: random.Random) -> Outcome:
    """Run a stage once in peace, then under kills, and compare."""
    peaceful, harried = (fresh(stage, source, folder / f"{stage}-{name}") for name in ("peaceful", "harried"))
    began = time.monotonic()
    in_peace(stage, peaceful)
    whole = time.monotonic() - began
    landed = dict.fromkeys(MOMENTS, 0)
    tries = 0
    while sum(landed.values()) < kills:
        moment = min(landed, key=lambda name: (landed[name], chance.random()))
        aim = Aim(MOMENTS[moment], chance.uniform(0.0, 0.9 * whole), chance.uniform(0.0, 0.005))
        tries += 1
        remove_outputs(stage, harried)
        code = run(stage, harried, aim)
        if code == -signal.SIGKILL:
            landed[moment] += 1
        elif code == 0:
            # It ended before the blow: begin a new training, so that every kill meets one under way.
            restart(stage, harried)
    remove_outputs(stage, harried)
    run(stage, harried)
    log = (harried / "log").read_text()
    return Outcome(landed, log.count("going on from step"), tries + 1, list(differences(stage, peaceful, harried)))


def fresh(stage: str, source: Path, folder: Path) -> Path:
    """A copy of the project without the stage's outputs."""
    shutil.copytree(source, folder)
    restart(stage, folder)
    return folder


def restart(stage: str, folder: Path) -> None:
    """Forget the stage: its outputs, and what MLflow has of it."""
    remove_outputs(stage, folder)
    shutil.rmtree(folder / "mlflow", ignore_errors=True)
    shutil.copytree(folder / "empty", folder / "mlflow")


@dataclass(frozen=True)
class Aim:
    """Kill at the first `moment` after `seconds`, `delay` into it."""

    moment: int
    seconds: float
    delay: float


def run(stage: str, folder: Path, aim: Aim | None = None) -> int:
    """One try: the exit code, or minus the signal it died of."""
    shared = mmap.mmap(-1, 1)
    child = os.fork()
    if child == 0:
        _be_the_stage(stage, folder, shared)
    began = time.monotonic()
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        elapsed = time.monotonic() - began
        if elapsed > LONGEST:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise SystemExit(f"error: {stage} hangs")
        if aim and elapsed > aim.seconds and (aim.moment == ELSEWHERE or shared[0] == aim.moment):
            time.sleep(aim.delay)
            os.kill(child, signal.SIGKILL)
            aim = None
        time.sleep(0.0005)


def _be_the_stage(stage: str, folder: Path, shared: mmap.mmap) -> None:
    """Never returns: this process is `python -m components STAGE …` in the project folder."""
    from components.stage_process import main as stage_main

    os.chdir(folder)
    with open("log", "ab", buffering=0) as log:  # noqa: PTH123
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    _mark_moments(shared)
    code = 70
    try:
        code = stage_main(words(stage))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _mark_moments(shared: mmap.mmap) -> None:
    """Have the process show when it writes a checkpoint and when it validates."""
    from components.training.module import LanguageModule
    from components.training.store import CheckpointStore

    @contextmanager
    def marked(moment: int) -> Iterator[None]:
        before, shared[0] = shared[0], moment
        try:
            yield
        finally:
            shared[0] = before

    def marking(function: Callable[..., Any], moment: int) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            with marked(moment):
                return function(*arguments, **options)

        return call

    CheckpointStore.save = marking(CheckpointStore.save, SAVING)  # type: ignore[method-assign]
    LanguageModule.validation_step = marking(LanguageModule.validation_step, VALIDATING)  # type: ignore[method-assign]


def differences(stage: str, peaceful: Path, harried: Path) -> Iterator[str]:
    """What a killed training left different from one in peace."""
    for name in PATHS[stage][1].split():
        if not (harried / name / MANIFEST).is_file():
            yield f"{name} is missing"
        elif digest(peaceful / name) != digest(harried / name):
            yield f"{name} differs"
    for name in (f"{stage}.json", f"{stage}.csv"):
        if file_hash(peaceful / name) != file_hash(harried / name):
            yield f"{name} differs"
    left = [path for path in (harried / ".cache" / "checkpoints").glob("*/*") if path.is_dir()]
    if left:
        yield f"checkpoints left behind: {[path.name for path in left]}"
    yield from tracked_differences(_tracked(peaceful), _tracked(harried))


def tracked_differences(peaceful: list[dict[str, list[int]]], harried: list[dict[str, list[int]]]) -> Iterator[str]:
    """What differs in the runs and their metric steps."""
    if len(harried) != 1:
        yield f"{len(harried)} MLflow runs instead of one"
        return
    for key in sorted({*peaceful[0], *harried[0]}):
        expected, found = peaceful[0].get(key, []), harried[0].get(key, [])
        if sorted(found) != sorted(expected):
            twice = sorted({step for step in found if found.count(step) > 1})
            yield f"metric {key}: missing {sorted(set(expected) - set(found))}, twice {twice}"


def _tracked(folder: Path) -> list[dict[str, list[int]]]:
    """Metric -> its steps, of every run in a project's store."""
    import sqlite3

    with sqlite3.connect(folder / "mlflow" / "mlflow.db") as store:
        runs = [row[0] for row in store.execute("select run_uuid from runs")]
        history = "select key, step from metrics where run_uuid = ?"
        found: list[dict[str, list[int]]] = []
        for run_id in runs:
            steps: dict[str, list[int]] = {}
            for key, step in store.execute(history, (run_id,)):
                steps.setdefault(key, []).append(step)
            found.append(steps)
    return found


if __name__ == "__main__":
    sys.exit(main())
