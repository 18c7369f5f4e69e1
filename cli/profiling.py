"""Profiles a stage in a process of its own, and ends that process before it uses more memory than is free."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.resource_check import free_disk, free_memory
from components.errors import DoesNotFit, LianziError, ServiceError
from components.params import Params
from components.planning import UNFIT
from components.stages import section_of
from flows.recipes import Recipe

if TYPE_CHECKING:
    import psutil

SCRATCH = Path(".lianzi")
"""The folder of dummy artifacts and trial runs; each plan has its own subfolder, which is deleted after it."""
GUARD = 0.95
"""The share of the free memory that profiling may use before it is ended."""
LOOK, COUNT = 0.05, 1.0
"""Seconds between two looks at the memory of the processes below this one, and between two counts of them: to find them
reads every process of the machine."""


@dataclass(frozen=True)
class Graph:
    """The inputs of profiling beside its own stage. `stale`: artifacts that will be replaced. `connection`: seconds and
    bytes of connecting to MLflow, once measured. `scratch`: a `scratch_folder`.
    """

    params: Params
    recipes: dict[str, Recipe]
    stale: frozenset[str]
    connection: tuple[float, int] | None
    scratch: Path


@contextlib.contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """A folder for the profiles of a plan, while it lasts: the stages of a task share their dummies there."""
    scratch = root / SCRATCH
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="profile-", dir=scratch) as name:
        yield Path(name)


def profile_stage(stage: str, graph: Graph, root: Path) -> dict[str, Any]:
    """A `components.planning.stage_profile.StageProfile` as a mapping.

    Raises LianziError with the stage's own words where it cannot run under these params, DoesNotFit where it was ended.
    """
    name, _, task = stage.partition("@")
    folder = graph.scratch / (task or name)
    folder.mkdir(exist_ok=True)
    params = folder / "params.yaml"
    # JSON is YAML.
    params.write_text(json.dumps(graph.params.model_dump(by_alias=True)), encoding="utf-8")
    return _run(stage, _words(stage, graph, root, params, folder), root)


def _words(stage: str, graph: Graph, root: Path, params: Path, folder: Path) -> list[str]:
    recipes = graph.recipes
    given = {
        "params": params,
        "folder": folder,
        "memory": free_memory(),
        "disk": free_disk(root),
        "tokenizer": recipes["train_tokenizer"].path("tokenizer"),
        "data": recipes["curate"].path("data"),
    }
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    if graph.connection is not None:
        words += ["--connection", *map(str, graph.connection)]
    return [*words, "--stale", *sorted(graph.stale), "--words", *recipes[stage].words]


def _run(stage: str, words: list[str], root: Path) -> dict[str, Any]:
    # Files, not pipes: nobody reads until the end.
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as said:
        command = [sys.executable, "-m", "components.planning", *words]
        process = subprocess.Popen(command, cwd=root, stdout=told, stderr=said)
        try:
            _watch(stage, process, free_memory())
        finally:
            process.kill()
            process.wait()
        told.seek(0)
        said.seek(0)
        if process.returncode == 0:
            found: dict[str, Any] = json.loads(told.read().splitlines()[-1])
            return found
        raise _failure(stage, process.returncode, said.read())


def _watch(stage: str, process: subprocess.Popen[bytes], free: int) -> None:
    """Wait for the process. It is ended when it grows past the free memory, before the machine swaps."""
    import psutil

    below: list[psutil.Process] = []
    counted = -math.inf
    while process.poll() is None:
        if time.monotonic() - counted > COUNT:
            # The process that profiles, and the fork that does its work.
            below, counted = psutil.Process().children(recursive=True), time.monotonic()
        if _largest(below) > GUARD * free:
            raise DoesNotFit(
                f"{stage} needs more than the {free / 1e9:.1f} GB of memory that are free here",
                f"lower {section_of(stage)}.batch_size or model.depth, or set trainer.checkpoint_activations",
            )
        time.sleep(LOOK)


def _largest(processes: Sequence[psutil.Process]) -> int:
    """Bytes of the largest of these processes."""
    import psutil

    sizes = [0]
    for process in processes:
        with contextlib.suppress(psutil.Error):
            sizes.append(process.memory_info().rss)
    return max(sizes)


def _failure(stage: str, code: int, said: str) -> LianziError:
    if code in (1, UNFIT) and "Traceback" not in said:
        lines = [line for line in said.splitlines() if line.strip() and "tokens/s" not in line]
        whose = "" if code == UNFIT else f"{stage}: "
        return LianziError(f"{whose}{' '.join(lines[:1])}", "\n".join(lines[1:3]))
    if code < 0:
        return DoesNotFit(
            f"{stage}: profiling it was killed (signal {-code}), most likely for its memory",
            f"lower {section_of(stage)}.batch_size or model.depth, or set trainer.checkpoint_activations",
        )
    return ServiceError(f"{stage}: profiling it ended with code {code}:\n{said[-1500:]}")
