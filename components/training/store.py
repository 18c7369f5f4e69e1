"""Checkpoints of trainings under way: each whole or not there, each proving its own bytes.

.cache/checkpoints/STAGE/KEY/PART/step-00001200-DIGEST/{manifest.json, *.safetensors, progress.json}

Outside DVC's outs, which DVC deletes before a stage starts. KEY is made from parameters, inputs and code, so a stale
checkpoint is never found. DIGEST begins the SHA-256 of the manifest, the manifest names the SHA-256 of every file: no
changed byte goes unseen.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from components.artifacts import MANIFEST, digest, file_hash, write_json
from components.declared import Declared
from components.errors import ArtifactError
from components.lease import lease
from components.libraries import installed
from components.sections import Section
from components.training import ranks
from components.training.config import TrainerConfig

KEPT_CHECKPOINTS = 2
"""Of one training: the newest, and the one to fall back to."""
KEPT_KEYS = 3
"""Interrupted trainings of one stage whose checkpoints are held for a return to their parameters."""

PROGRESS = "progress.json"
_NAME = re.compile(r"step-(\d+)-([0-9a-f]{16})")
_RUN = "run.json"
_LEASE = "lease.json"
ORPHAN_SECONDS = 60.0
"""That a training whose driver is gone may take to write its last checkpoint."""

Tensors = dict[str, dict[str, Tensor]]
"""Tensors by name, by the name of the file they stand in."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as read back: every byte of it is as it was written."""

    step: int
    tensors: Tensors
    progress: dict[str, Any]


class CheckpointStore:
    """The checkpoints of one training, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def held(self, stage: str) -> AbstractContextManager[None]:
        """The right to train here, of one process at a time.

        Who finds another one waits a little: a stage whose `dvc repro` was killed ends by itself, after a checkpoint.
        Raises ServiceError when that one goes on.
        """

        def say(line: str) -> None:
            print(f"{stage}: {line}", file=sys.stderr, flush=True)

        return lease(self.folder / _LEASE, f"training {stage}", ORPHAN_SECONDS, say)

    def part(self, name: str) -> CheckpointStore:
        """The store of one of several trainings of a stage."""
        return CheckpointStore(self.folder / name)

    def save(self, step: int, tensors: Tensors, progress: Mapping[str, Any]) -> Path:
        """Write a checkpoint, then forget all but the last KEPT_CHECKPOINTS. Until it is whole the older ones stay."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        partial = self.folder / f".step-{step:08d}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            for name, content in tensors.items():
                save_file(content, partial / f"{name}.safetensors")
            write_json(partial / PROGRESS, progress)
            files = {path.name: file_hash(path) for path in sorted(partial.iterdir())}
            write_json(partial / MANIFEST, {"step": step, "files": files})
            for path in partial.iterdir():
                _sync(path)
            _sync(partial)
            target = self.folder / f"step-{step:08d}-{file_hash(partial / MANIFEST)[:16]}"
            if target.exists():
                return target
            partial.rename(target)
            _sync(self.folder)
        except SafetensorError as error:
            # A full disk comes as an error of the library's own, its number in the text.
            number = re.search(r"os error (\d+)", str(error))
            raise OSError(int(number[1]), str(error), str(self.folder)) if number else error from None
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        for same in self.folder.glob(f"step-{step:08d}-*"):
            if same != target:
                shutil.rmtree(same, ignore_errors=True)
        for old in self._found()[KEPT_CHECKPOINTS:]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def newest(self, say: Callable[[str], None]) -> Checkpoint | None:
        """The last whole checkpoint, or None. A damaged one is named through `say`, removed and passed over."""
        for folder in self._found():
            try:
                return _read(folder)
            except ArtifactError as damage:
                if ranks.is_rank_zero():
                    say(f"checkpoint refused: {damage}")
                    shutil.rmtree(folder, ignore_errors=True)
        return None

    def run_id(self) -> str | None:
        """The tracked run that this training began under, or None."""
        try:
            content: dict[str, str] = json.loads((self.folder / _RUN).read_text(encoding="utf-8"))
            return content["run"]
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def remember_run(self, run_id: str) -> None:
        """Note the tracked run, for whoever goes on with this training."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / f".{_RUN}", {"run": run_id})
        (self.folder / f".{_RUN}").rename(self.folder / _RUN)

    def clear(self) -> None:
        """Free the space: the stage has its result."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _found(self) -> list[Path]:
        """The checkpoints, the newest first."""
        if not self.folder.is_dir():
            return []
        named = ((_NAME.fullmatch(path.name), path) for path in self.folder.iterdir())
        return [path for _, path in sorted(((int(name[1]), path) for name, path in named if name), reverse=True)]


def open_store(stage: str, wanted: Declared, arguments: Mapping[str, Any]) -> CheckpointStore:
    """The store for a stage called with these arguments, under the code and libraries now in use."""
    stages = Path(os.environ.get("LIANZI_CACHE", ".cache"), "checkpoints", stage)
    store = CheckpointStore(stages / training_key(wanted, arguments))
    if ranks.is_rank_zero():
        store.folder.mkdir(parents=True, exist_ok=True)
        os.utime(store.folder)
        by_age = sorted(stages.iterdir(), key=lambda folder: folder.stat().st_mtime_ns, reverse=True)
        for old in by_age[KEPT_KEYS:]:
            shutil.rmtree(old, ignore_errors=True)
    return store


def training_key(stage: Declared, arguments: Mapping[str, Any]) -> str:
    """What a training is known by: parameters, digests of its inputs, code, versions of the libraries.

    Inputs, code and libraries are those that dvc.yaml names. How many devices work on it (TrainerConfig) is left out: a
    training may go on with more of them, or fewer.
    """
    told = {
        name: value
        for name, value in arguments.items()
        if not isinstance(value, TrainerConfig | Path) or name in stage.reads
    }
    content = {
        "arguments": {name: _told(value) for name, value in told.items()},
        "code": {path: file_hash(file) for path, file in zip(stage.code, stage.files(), strict=True)},
        "libraries": {name: installed(name) for name in stage.libraries},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _told(value: Any) -> Any:
    if isinstance(value, Section):
        start = getattr(value, "init_from", None)
        return value.model_dump() | ({"start": digest(Path(start))} if start and Path(start).is_dir() else {})
    if isinstance(value, Path):
        return digest(value)
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _read(folder: Path) -> Checkpoint:
    """Read a checkpoint. Raises ArtifactError naming the first file that is not as it was written."""
    from safetensors.torch import load_file

    named = _NAME.fullmatch(folder.name)
    assert named is not None
    manifest = folder / MANIFEST
    if not manifest.is_file() or file_hash(manifest)[:16] != named[2]:
        raise ArtifactError(f"{manifest}: damaged")
    files: dict[str, str] = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    for name, expected in files.items():
        path = folder / name
        if not path.is_file():
            raise ArtifactError(f"{path}: missing")
        if file_hash(path) != expected:
            raise ArtifactError(f"{path}: damaged")
    tensors = {Path(name).stem: load_file(folder / name) for name in files if name.endswith(".safetensors")}
    return Checkpoint(int(named[1]), tensors, json.loads((folder / PROGRESS).read_text(encoding="utf-8")))


def _sync(path: Path) -> None:
    """Have a file's or folder's content on the disk, not only in memory."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
