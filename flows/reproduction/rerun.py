"""Every stage of a past result run again, without any cache, its outputs compared with the recorded ones."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.errors import LianziError
from components.tracking.environment import environment
from components.tracking.inputs import made_from, read_lock, read_yaml
from flows.inputs import note_inputs
from flows.reproduction.inputs import Input, differing_inputs
from flows.reproduction.outputs import Output, Recorded, differing_files, first_differing, listed
from flows.reproduction.target import Target, project_prefix
from flows.reproduction.worktree import dvc, stage_environment

Say = Callable[[str], None]


@dataclass(frozen=True)
class Verdict:
    """stages: how many were run again; stage, output: the first that differs, "" and None where all are equal;
    causes: the differing inputs that stage and those before it have, and a differing machine."""

    stages: int
    outputs: int
    stage: str = ""
    output: Output | None = None
    causes: list[str] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        return self.output is None


class StageFailed(LianziError):
    """A stage of the past result does not run here."""


def rerun(root: Path, project: Path, target: Target, python: Path | None, say: Say) -> Verdict:
    """Run the stages of a target in its work tree, each after those it needs, up to the first that differs.

    `python`: of the environment that was built for it, else this one: then the versions that are installed are noted
    as inputs, and differ as such. Raises StageFailed.
    """
    if python is None:
        note_inputs(project)
    recorded = recorded_outputs(root, target)
    inputs = differing_inputs(project, target.lock)
    for told in _told(inputs, recorded, project):
        say(f"differs before any work: {told}")
    outputs = 0
    known = read_yaml(project / "dvc.yaml").get("stages", {})  # dvc.lock keeps stages that dvc.yaml has lost
    needs = {stage: _needs(stage, target.lock) for stage in target.lock if stage.partition("@")[0] in known}
    # Whoever needs a stage needs more stages than it does; in dvc.lock a stage that came later stands at the end.
    order = sorted(needs, key=lambda stage: len(needs[stage]))
    for number, stage in enumerate(order, 1):
        began = time.monotonic()
        _run_stage(stage, project, stage_environment(project, python or Path(sys.executable)))
        output = first_differing(project, target.lock[stage], read_lock(project)[stage], recorded)
        outputs += len(target.lock[stage].get("outs", []))
        told = "equal" if output is None else "differs"
        say(f"[{number}/{len(order)}] {stage}: {told} ({time.monotonic() - began:.0f} s)")
        if output is not None:
            at_fault = {name: inputs[name] for name in needs[stage] if name in inputs}
            causes = [*_told(at_fault, recorded, project), *machine_differences(target.environment, environment())]
            return Verdict(number, outputs, stage, output, causes)
    return Verdict(len(order), outputs)


def machine_differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What of the machine is another one; nothing where the recorded one is not known."""
    before = recorded.get("machine", {})
    return [
        f"hardware {name}: {before[name]} recorded, {now['machine'].get(name)} now"
        for name in ("processor", "instructions", "system", "python")
        if name in before and before[name] != now["machine"].get(name)
    ]


def _told(inputs: Mapping[str, list[Input]], recorded: Recorded, project: Path) -> list[str]:
    """A line an input, however many stages have it."""
    told = []
    for one in dict.fromkeys(one for found in inputs.values() for one in found):
        files = recorded.files({"md5": one.before}) if one.kind == "data" else None
        if files is None:
            told.append(one.told())
            continue
        now = listed(project / one.name)
        told += [f"data {one.name}/{name}: {size}" for name, size in differing_files(files, now, recorded)]
    return told


def _needs(stage: str, lock: Mapping[str, Any]) -> set[str]:
    """A stage and all before it."""
    return {stage, *made_from((Path(dep["path"]) for dep in lock[stage].get("deps", [])), lock)}


def _run_stage(stage: str, project: Path, variables: Mapping[str, str]) -> None:
    """Through DVC: forced, so that nothing is restored, and uncommitted, so that nothing goes into the cache."""
    words = [sys.executable, "-m", "dvc", "repro", "--force", "--no-commit", "--single-item", stage]
    done = subprocess.run(words, cwd=project, env=dict(variables), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("error:")] or lines[-1:]
        raise StageFailed(f"{stage} does not run here: {errors[-1].removeprefix('error: ') if errors else '?'}")


def recorded_outputs(root: Path, target: Target) -> Recorded:
    """The outputs of a target, as far as DVC's cache and the commit have them."""
    cache = root / dvc(root, "cache", "dir").strip()
    prefix = project_prefix(root)

    def committed(path: str) -> bytes | None:
        shown = subprocess.run(
            ["git", "show", f"{target.commit}:{prefix}{path}"], cwd=root, capture_output=True, check=False
        )
        return shown.stdout if shown.returncode == 0 else None

    return Recorded(cache, committed)
