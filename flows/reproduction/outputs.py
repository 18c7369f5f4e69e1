"""Outputs that differ from the recorded ones: which file, and by how much."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.reproduction.sizes import UNKNOWN, first_step, size_of_difference


@dataclass(frozen=True)
class Output:
    """An output with another hash than the recorded one, and what is known of the difference.

    step: of a training the first step whose row of the curves differs; "" where none does.
    """

    path: str
    size: str
    step: str = ""

    def told(self) -> str:
        return f"{self.path}: {self.size}" + (f"; curves: {self.step}" if self.step else "")


class Recorded:
    """The bytes of recorded outputs, as far as DVC's cache or the commit still has them."""

    def __init__(self, cache: Path, committed: Callable[[str], bytes | None]) -> None:
        self.cache, self.committed = cache, committed

    def files(self, out: Mapping[str, Any]) -> dict[str, str] | None:
        """Of a folder: path inside it -> hash. None where DVC's cache has no list of them."""
        try:
            listed = json.loads(self._cached(out["md5"]).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return {one["relpath"]: one["md5"] for one in listed}

    def bytes_of(self, md5: str, path: str = "") -> bytes | None:
        """The content with a hash, or the committed file at `path`; None where neither is there."""
        try:
            return self._cached(md5).read_bytes()
        except OSError:
            return self.committed(path) if path else None

    def _cached(self, md5: str) -> Path:
        return self.cache / "files" / "md5" / md5[:2] / md5[2:]


def first_differing(
    project: Path, before: Mapping[str, Any], after: Mapping[str, Any], recorded: Recorded
) -> Output | None:
    """The first output of a stage whose hash differs between two entries of dvc.lock, metrics and curves last: they
    say the least about the place. Of a training they say since which step."""
    now = {out["path"]: out for out in after.get("outs", [])}
    outs = sorted(before.get("outs", []), key=lambda out: out["path"].startswith("metrics/"))
    differing = [out for out in outs if now.get(out["path"], {}).get("md5") != out["md5"]]
    if not differing:
        return None
    first, *others = differing
    if first["path"] not in now:
        return Output(first["path"], "not made this time")
    curves = (out for out in others if out["path"].endswith(".csv") and out["path"] in now)
    steps = (_step(project, out, recorded) for out in curves)
    return replace(_output(project, first, now[first["path"]], recorded), step=next(filter(None, steps), ""))


def _step(project: Path, out: Mapping[str, Any], recorded: Recorded) -> str:
    before = recorded.bytes_of(out["md5"], out["path"])
    if before is None or not before.startswith(b"step,"):
        return ""
    return first_step(before.decode(), (project / out["path"]).read_text(encoding="utf-8"))


def _output(project: Path, out: Mapping[str, Any], made: Mapping[str, Any], recorded: Recorded) -> Output:
    path = out["path"]
    if not out["md5"].endswith(".dir"):
        return Output(
            path, size_of_difference(Path(path), recorded.bytes_of(out["md5"], path), (project / path).read_bytes())
        )
    before, now = recorded.files(out), listed(project / path)
    if before is None:
        return Output(path, UNKNOWN)
    for name, told in differing_files(before, now, recorded):
        return Output(f"{path}/{name}", told)
    return Output(path, "the same files in another form")


def differing_files(
    before: Mapping[str, str], now: Mapping[str, Path], recorded: Recorded
) -> Iterator[tuple[str, str]]:
    """Files of a folder that are not the recorded ones, and how far they are apart."""
    for name in sorted(before.keys() | now.keys()):
        if name not in now or name not in before:
            yield name, "missing now" if name in before else "new"
            continue
        content = now[name].read_bytes()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != before[name]:
            yield name, size_of_difference(Path(name), recorded.bytes_of(before[name]), content)


def listed(folder: Path) -> dict[str, Path]:
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
