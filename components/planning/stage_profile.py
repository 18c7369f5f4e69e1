"""Measure a training stage by a few real steps, in a process of its own: a StageProfile as JSON on standard output.

python -m components.planning --params FILE --folder SCRATCH … STAGE --name path …

The stage's words are those of `python -m components`. It is first counted, on the `meta` device, so that what cannot
fit is never allocated. Then the stage's own function runs twice for a few steps: once for what is the same whatever the
number of steps, once for the seconds of a step. Memory is the peak of both, and what it will still grow by.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from components.errors import LianziError
from components.params import load_params
from components.planning import UNFIT
from components.planning.combinations import check_combinations
from components.planning.inputs import Inputs
from components.planning.jobs import Job
from components.planning.trial_runs import TRIAL_RUNS, TrialRun
from components.planning.trial_timing import TrialTiming, time_trial
from components.resource_usage import peak_gpu_memory, peak_memory, process_start
from components.run import Metrics
from components.stage_process import arguments, parse
from components.training import ranks

FIRST_STEPS, FIRST_VALIDATION = 3, 2
"""Steps and validation batches of the first trial run."""
ALIKE, MIXED, MOST = 8, 16, 100
"""Steps of the second, if the stage has so many: at least ALIKE where all batches have one shape, else MIXED, of all
lengths."""
SECONDS, LONGEST = 1.0, 40.0
"""The second trial run aims at SECONDS. Where its fewest steps take more than LONGEST, the first run must suffice."""
UNSURE = 0.05
"""The standard error of a step's seconds, relative to them, above which steps that are alike are timed up to FULL."""
FULL = 24
"""Steps after which memory grows no more. Where the number of predicted tokens differs from step to step, it grows over
the first dozens, until the libraries' caches of kernels are full (`prepare_libraries` bounds them)."""


Connection = tuple[float, int]
"""Seconds and bytes of connecting to MLflow."""


class Unfit(LianziError):
    """Params that do not go together."""


@dataclass(frozen=True)
class Measured:
    """Seconds and bytes. `start`: imports, reading, building; `writing`: from the last validation to the end.

    `seconds` = start + steps x step + validations x validation + writing.
    """

    start: float
    step: float
    validation: float
    writing: float
    seconds: float
    peak_memory: int
    peak_gpu_memory: int
    connection: Connection
    """Included above, and the same for every stage."""


@dataclass(frozen=True)
class StageProfile:
    """The estimate of a stage and, where it fits, its measurement. Sizes in bytes; `made_up`: dummies that were used.

    `fixed_memory` and `activations` are estimates: the part independent of the batch, and one micro-batch.
    """

    parameters: int
    steps: int
    tokens: int
    flops: float
    fixed_memory: int
    activations: int
    disk: int
    results: int
    processes: int
    gpu_memory_free: int
    made_up: tuple[str, ...]
    measured: Measured | None

    @classmethod
    def of(cls, job: Job, processes: int, made_up: list[str], measured: Measured | None) -> StageProfile:
        return cls(
            parameters=job.parameters,
            steps=job.steps,
            tokens=job.tokens,
            flops=job.flops,
            fixed_memory=job.memory.fixed,
            activations=job.memory.activations,
            disk=job.disk,
            results=job.results,
            processes=processes,
            gpu_memory_free=_gpu_memory_free(),
            made_up=tuple(made_up),
            measured=measured,
        )


def main() -> int:
    """Exit code 1, with one or two lines on standard error, where the stage cannot run with its params, UNFIT where
    none can.
    """
    began = process_start()
    options = _options(sys.argv[1:])
    try:
        found = profile_stage(options, began)
    except Unfit as error:
        print(error, file=sys.stderr)
        return UNFIT
    except LianziError as error:
        print(error, file=sys.stderr)
        return 1
    if ranks.is_rank_zero():
        print(json.dumps(asdict(found)), flush=True)
    return 0


def profile_stage(options: argparse.Namespace, began: float) -> StageProfile:
    """Estimate the stage, and try it where it fits. `began`: the start time of the process."""
    stage, function, paths = parse(options.words)
    params = load_params(options.params)
    given = arguments(function, params, stage.task) | paths
    imported = time.time() - began
    try:
        check_combinations(params)
    except LianziError as error:
        raise Unfit(str(error)) from error
    inputs = Inputs(params, options.folder, options.tokenizer, options.data, frozenset(options.stale))
    trial = TRIAL_RUNS[stage.stage](given, inputs)
    processes = given["trainer"].devices
    job = trial.sketch()
    if _fits(job, processes, options):
        trial.prepare()
        job = trial.job()
    if not _fits(job, processes, options):
        return StageProfile.of(job, processes, inputs.made_up, None)
    connection = _connection() if options.connection is None else (options.connection[0], int(options.connection[1]))
    start = imported + trial.reading_seconds
    try:
        measured = _measure(function, trial, job, start, connection, beside=options.connection is not None)
    finally:
        shutil.rmtree(inputs.trials, ignore_errors=True)  # dummies stay, for the stages to come
    return StageProfile.of(job, processes, inputs.made_up, measured)


def _measure(
    function: Callable[..., Metrics], trial: TrialRun, job: Job, start: float, connection: Connection, beside: bool
) -> Measured:
    """`start`: seconds spent so far, as the stage itself spends them; `beside`: the connection is not included."""
    folder, processes = trial.inputs.trials, trial.given["trainer"].devices
    given = trial.given_for(FIRST_STEPS, FIRST_VALIDATION, longest=True)
    first = time_trial(function, given, trial.outputs, folder / "first")
    timed, batches, own = first, FIRST_VALIDATION, _own_steps(first, job)
    if steps := _second_steps(first, job, processes, trial.alike):
        gc.collect()
        batches = min(job.validation_batches, max(1, steps // 4))

        def tried(name: str, steps: int) -> TrialTiming:
            given = trial.given_for(steps, batches, longest=False)
            return time_trial(function, given, trial.outputs, folder / name, draw=False)

        timed = tried("second", steps)
        if trial.alike and processes == 1 and (more := _steps_again(timed, own)):
            timed = timed.followed_by(tried("third", more))
    step, batch = timed.step_seconds(trial.alike), timed.validation_seconds / batches
    validation = batch * job.validation_batches
    growth = _growth_to_come(timed, own) if trial.alike else 0
    start += connection[0] + _fixed_seconds(first, step, batch) - first.after
    return Measured(
        start=start,
        step=step,
        validation=validation,
        writing=first.after,
        seconds=start + job.steps * step + job.validations * validation + first.after,
        peak_memory=processes * (peak_memory() + growth + (connection[1] if beside else 0)),
        peak_gpu_memory=peak_gpu_memory(),
        connection=connection,
    )


def _own_steps(first: TrialTiming, job: Job) -> int:
    """Steps of each training of the stage itself; 0 where nothing is trained."""
    return max(FIRST_STEPS, job.steps // first.trainings) if first.trainings else 0


def _second_steps(first: TrialTiming, job: Job, processes: int, alike: bool) -> int:
    """The number of steps of each training in the second trial run; 0 where it would take too long."""
    own = _own_steps(first, job)
    if processes > 1 or not own:
        return min(FULL, own)  # by no clock: all ranks must take equally many
    seconds = first.trainings * first.step_seconds(alike=True)
    steps = min(own, MOST, max(ALIKE if alike else MIXED, round(SECONDS / seconds)))
    return steps if steps * seconds <= LONGEST else 0


def _steps_again(timed: TrialTiming, own: int) -> int:
    """The number of steps of a third trial run, where the second had few and does not tell how long they are."""
    rest = min(own, FULL) - timed.count
    few = rest >= FIRST_STEPS and rest * timed.step_seconds(alike=True) <= LONGEST
    return rest if few and timed.error > UNSURE else 0


def _growth_to_come(timed: TrialTiming, own: int) -> int:
    """Bytes by which memory grows until step FULL: with each doubling of the steps as with the last one, since ever
    fewer shapes are new.
    """
    steps, last = len(timed.memory), min(own, FULL)
    if steps < 2 or steps >= last:
        return 0
    return max(0, round((timed.memory[-1] - timed.memory[steps // 2 - 1]) * math.log2(last / steps)))


def _fixed_seconds(first: TrialTiming, step: float, batch: float) -> float:
    """The seconds of the first trial run besides its steps and validations: they occur once, whatever the number of
    steps.
    """
    working = first.count * step + len(first.validations) * FIRST_VALIDATION * batch
    return max(first.seconds - working, first.after)


def _fits(job: Job, processes: int, options: argparse.Namespace) -> bool:
    free = _gpu_memory_free()
    needed = job.memory.total if free else processes * job.memory.total
    return needed <= (free or options.memory) and job.disk <= options.disk


def _connection() -> Connection:
    """The cost of connecting to MLflow."""
    import psutil

    from components import tracking

    process = psutil.Process()
    before, began = process.memory_info().rss, time.monotonic()
    tracking.connect()
    return time.monotonic() - began, process.memory_info().rss - before


def _gpu_memory_free() -> int:
    return int(torch.cuda.mem_get_info()[0]) if torch.cuda.is_available() else 0


def _options(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m components.planning")
    parser.add_argument("--params", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="for dummies, and outputs, which are deleted")
    parser.add_argument("--memory", type=int, required=True, help="bytes free")
    parser.add_argument("--disk", type=int, required=True, help="bytes free")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--connection", type=float, nargs=2, help="seconds and bytes, where measured before")
    parser.add_argument("--stale", type=Path, nargs="*", default=[], help="artifacts that will be replaced")
    parser.add_argument("--words", nargs=argparse.REMAINDER, required=True, help="the stage's command line; the last")
    return parser.parse_args(words)
