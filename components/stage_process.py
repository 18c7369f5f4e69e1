"""The process of one stage: its command line, its parameters, its tracked run, its metrics and its exit code."""

from __future__ import annotations

import argparse
import csv
import errno
import inspect
import os
import signal
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from components import orphans, resource_usage
from components.artifacts import write_json
from components.declared import Declared, declared
from components.errors import InputsChanged, Interrupted, LianziError, ParameterError
from components.inputs import Inputs, remove
from components.libraries import LIBRARIES_FILE, check_libraries, noted
from components.params import Params, check_params, read_yaml
from components.run import SYSTEM, Metrics, RecordedRun
from components.sections import Section
from components.stages import STAGES, section_of, stage_function, stage_name
from components.starts import check_folder

if TYPE_CHECKING:
    from components.training.store import CheckpointStore

PARAMS_FILE = Path("params.yaml")


def main(arguments: list[str] | None = None) -> int:
    """Run a stage and return the exit code: 0 done, 1 a mistake told in a line or two, 130 interrupted."""
    signal.signal(signal.SIGTERM, _interrupt)
    orphans.stop_with_drivers()
    words = sys.argv[1:] if arguments is None else arguments
    try:
        run_stage(words)
    except LianziError as error:
        return _tell(words, str(error))
    except OSError as error:
        if error.errno not in OS_ERRORS:
            raise
        return _tell(words, f"{error.filename or 'output'}: {OS_ERRORS[error.errno]}")
    except (KeyboardInterrupt, Interrupted) as interruption:
        if _is_rank_zero():
            _tell(words, f"interrupted; {str(interruption) or 'nothing half-written was kept'}")
        return 130
    return 0


def leave() -> NoReturn:
    """End this process with the stage's exit code. Finished work must not wait for libraries' threads to wind down."""
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def run_stage(words: list[str]) -> None:
    """Parse a stage's command line, run it inside a tracked run and write its metrics.

    Raises InputsChanged where someone has changed what it is made from in the meantime; nothing of it is left then but
    its checkpoints.
    """
    task = words[words.index("--task") + 1] if "--task" in words[:-1] else None
    stage = check_stage(words)
    content = read_yaml(PARAMS_FILE)
    wanted = declared(stage_name(stage, task), content)
    # Before the stage's own modules are imported: the code that is compared is the code that runs.
    inputs = Inputs()
    inputs.add(wanted.files())
    inputs.add_params(PARAMS_FILE, content, wanted.params)
    versions = noted()
    check_libraries(wanted.libraries, versions)
    inputs.add_params(LIBRARIES_FILE, versions, [name for name in wanted.libraries if name in versions])
    options, function, paths = parse(words)
    params = check_params(content, PARAMS_FILE.name)
    given = arguments(function, params, options.task) | paths
    inputs.add([*(paths[name] for name in wanted.reads), *check_folder(section_of(options.stage), given["config"])])
    try:
        if "checkpoints" in inspect.signature(function).parameters:
            _train(words, options, function, given, inputs, wanted)
        else:
            _track(options, function, given, inputs, None)
        # Once more, for the time that it took to deliver what MLflow is told.
        inputs.check()
    except InputsChanged:
        remove(getattr(options, name) for name in wanted.writes)
        raise


def _train(
    words: list[str],
    options: argparse.Namespace,
    function: Callable[..., Metrics],
    given: dict[str, Any],
    inputs: Inputs,
    wanted: Declared,
) -> None:
    """Run a stage that goes on where it was interrupted; its checkpoints are freed once it has its result."""
    from components.training import ranks, ray_launch
    from components.training.store import open_store

    store = open_store(stage_name(options.stage, options.task), wanted, given)
    if not ranks.is_rank_zero():
        # One of several processes of this training: the leading one reports and writes for all.
        function(**given, checkpoints=store, run=RecordedRun())
        return
    # What Ray has started is part of the training of whoever asked Ray for it.
    with nullcontext() if ray_launch.inside() else store.held(stage_name(options.stage, options.task)):
        if ray_launch.wanted(given["trainer"]):
            # Its workers come by here too, as the ranks of one training.
            ray_launch.launch(run_stage, words, given["config"].threads, given["trainer"], store)
            return
        _track(options, function, given | {"checkpoints": store}, inputs, store)
        inputs.check()
        store.clear()


def _track(
    options: argparse.Namespace,
    function: Callable[..., Metrics],
    given: dict[str, Any],
    inputs: Inputs,
    store: CheckpointStore | None,
) -> None:
    from components import tracking

    sections = {name: value for name, value in given.items() if isinstance(value, Section)}
    paths = {name: value for name, value in given.items() if isinstance(value, Path)}
    begun = None if store is None else store.run_id()
    read = resource_usage.size_of(paths.values())
    with tracking.stage_run(options.stage, options.task, sections, paths, begun) as run:
        if store is not None:
            store.remember_run(run.id)
        metrics = function(**given, run=run)
        inputs.check()
        run.log_result(metrics)
        if options.curves:
            write_curves(options.curves, run.steps)
        write_json(options.metrics, metrics)
        processes = sections["trainer"].devices if "trainer" in sections else 1  # type: ignore[attr-defined]
        took = resource_usage.outcome(resource_usage.process_start(), read, processes)
        # Of a training carried on only the last part was timed, which nothing was predicted for.
        planned = {} if run.resumed else resource_usage.prediction(stage_name(options.stage, options.task), sections)
        run.log_result({"outcome": took, "plan": planned})


def write_curves(path: Path, steps: list[tuple[int, dict[str, float]]]) -> None:
    """Step metrics as CSV, one row a step; what depends on the machine (`system/…`) stays out."""
    rows: dict[int, dict[str, str]] = {}
    for step, metrics in steps:
        kept = {name: f"{value:.6g}" for name, value in metrics.items() if not name.startswith(SYSTEM)}
        if kept:
            rows.setdefault(step, {}).update(kept)
    columns = sorted({name for row in rows.values() for name in row})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, ["step", *columns], lineterminator="\n")
        writer.writeheader()
        writer.writerows({"step": step, **row} for step, row in sorted(rows.items()))


def path_names(function: Callable[..., Metrics]) -> list[str]:
    """The names of a stage function's path arguments: its command-line options."""
    parameters = inspect.signature(function).parameters.values()
    return [parameter.name for parameter in parameters if parameter.annotation in ("Path", Path)]


def check_stage(words: list[str]) -> str:
    """The stage that a command line names. Raises ParameterError where it names none."""
    if not words or words[0] not in STAGES:
        raise ParameterError(f"no stage {words[0] if words else ''!r}", f"stages: {', '.join(STAGES)}")
    return words[0]


def parse(words: list[str]) -> tuple[argparse.Namespace, Callable[..., Metrics], dict[str, Path]]:
    """A stage's command line: its options, its function and the paths the function takes."""
    function = stage_function(check_stage(words))
    parser = argparse.ArgumentParser(prog=f"python -m components {words[0]}", description=function.__doc__)
    names = path_names(function)
    for name in names:
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True, help="JSON file for the stage's metrics")
    parser.add_argument("--curves", type=Path, help="CSV file for its step metrics")
    parser.add_argument("--task", help="the task of a matrix stage")
    options = parser.parse_args(words[1:])
    options.stage = words[0]
    return options, function, {name: getattr(options, name) for name in names}


def arguments(function: Callable[..., Metrics], params: Params, task: str | None) -> dict[str, Any]:
    """The arguments of a stage function that come from params.yaml."""
    available: dict[str, Any] = {"seed": params.seed, "tasks": params.tasks, "sources": params.corpus}
    if "share" in inspect.signature(function).parameters:
        from components.tasks.rows import LabelShare  # only where it is read: other stages do not depend on that code

        available["share"] = LabelShare(params.finetune.label_fraction, params.seed)
    if task is not None:
        if task not in params.tasks:
            raise ParameterError(f"params.yaml: tasks: no task '{task}'", f"known: {', '.join(params.tasks)}")
        available |= {"task": params.tasks[task], "task_name": task}
    available["config"] = params.section(section_of(function.__name__))
    for name in inspect.signature(function).parameters:
        if isinstance(params.section(name), Section):
            available[name] = params.section(name)
    return {name: value for name, value in available.items() if name in inspect.signature(function).parameters}


OS_ERRORS = {
    errno.ENOSPC: "no space left on the disk; free some and run again",
    errno.EDQUOT: "disk quota exceeded; free some space and run again",
    errno.EFBIG: "file size limit reached; raise it and run again",
    errno.EACCES: "permission denied; check the owner and mode",
    errno.EROFS: "read-only file system; write elsewhere",
}


def _is_rank_zero() -> bool:
    """False in all but one of the processes of one training: an interruption is told once."""
    ranks = sys.modules.get("components.training.ranks")
    return ranks is None or bool(ranks.is_rank_zero())


def _tell(words: list[str], message: str) -> int:
    print(f"error: {words[0] if words else 'components'}: {message}", file=sys.stderr)
    return 1


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted
