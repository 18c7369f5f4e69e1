"""Profiles a stage in a process of its own, and ends that process before it uses more memory than is free."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.resource_check import free_disk, free_memory
from components.errors import DoesNotFit, LianziError, ServiceError
from components.params import Params
from components.stages import section_of
from flows.recipes import Recipe

SCRATCH = Path(".lianzi")
"""The folder of dummy artifacts and trial runs; each profile has its own subfolder, which is deleted after it."""
GUARD = 0.95
"""The share of the free memory that profiling may use before it is ended."""


@dataclass(frozen=True)
class Graph:
    """The inputs of profiling beside its own stage. `stale`: artifacts that will be replaced. `connection`: seconds and
    bytes of connecting to MLflow, once measured.
    """

    params: Params
    recipes: dict[str, Recipe]
    stale: frozenset[str]
    connection: tuple[float, int] | None


def profile_stage(stage: str, graph: Graph, root: Path) -> dict[str, Any]:
    """A `components.planning.stage_profile.StageProfile` as a mapping.

    Raises LianziError with the stage's own words where it cannot run under these params, DoesNotFit where it was ended.
    """
    scratch = root / SCRATCH
    scratch.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="profile-", dir=scratch) as name:
        folder = Path(name)
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
    while process.poll() is None:
        if _largest() > GUARD * free:
            raise DoesNotFit(
                f"{stage} needs more than the {free / 1e9:.1f} GB of memory that are free here",
                f"lower {section_of(stage)}.batch_size or model.depth, or set trainer.checkpoint_activations",
            )
        time.sleep(0.05)


def _largest() -> int:
    """Bytes of the largest process below this one: the process that profiles, or the fork that does its work."""
    import psutil

    sizes = [0]
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            sizes.append(process.memory_info().rss)
    return max(sizes)


def _failure(stage: str, code: int, said: str) -> LianziError:
    if code == 1 and "Traceback" not in said:
        lines = [line for line in said.splitlines() if line.strip() and "tokens/s" not in line]
        return LianziError(f"{stage}: {' '.join(lines[:1])}", "\n".join(lines[1:3]))
    if code < 0:
        return DoesNotFit(
            f"{stage}: profiling it was killed (signal {-code}), most likely for its memory",
            f"lower {section_of(stage)}.batch_size or model.depth, or set trainer.checkpoint_activations",
        )
    return ServiceError(f"{stage}: profiling it ended with code {code}:\n{said[-1500:]}")
