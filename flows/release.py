"""Release: register a task's bundle in MLflow and decide whether it becomes the champion.

Before that, its rungs are timed in turn on this machine: a rung that is not surely faster than the one above is
refused, and the one above ships (components.deployment.speed). A version that passes every gate (flows.releasing.gates)
becomes challenger, and champion at once unless somebody is to approve it. One release at a time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.errors import ArtifactError
from components.evaluation.versus_baseline import sentence
from components.params import Params, load_params
from components.registry import DECLINED, ROLLED_BACK, Registry
from components.runtime.manifest import read_bundle
from components.tasks.metrics import Metric
from flows import timing
from flows.releasing.considered import REPORTS, analysed, considered, remember
from flows.releasing.evidence import Candidate, gather, scores_of
from flows.releasing.gates import Outcome, judge
from flows.releasing.page import noted_gates, write_gates
from flows.releasing.registering import registered


@dataclass(frozen=True)
class Verdict:
    """The verdict on a bundle. `rung`: the one that ships; `scores`: those of `evaluate` on test rows; `gates`: what
    each said, nothing where the version was judged before; `noted`: then what the registry has of it."""

    task: str
    version: int
    champion: bool
    rung: str
    scores: dict[str, float]
    line: str
    gates: tuple[Outcome, ...] = ()
    noted: tuple[Outcome, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether the same bundle under the same limits would be judged alike: being reproduced may come later."""
        return all(one.passed for one in self.gates if one.gate == "reproduced")


def task_names(root: Path) -> list[str]:
    """The tasks of params.yaml."""
    return list(load_params(root / "params.yaml").tasks)


def release(name: str, root: Path, run_id: str) -> Verdict:
    """Register a bundle and decide about it. Raises ArtifactError when it is missing or was not evaluated."""
    bundle = root / "artifacts" / name / "bundle"
    read_bundle(bundle)
    metrics = _metrics(root / "metrics" / "evaluate" / f"{name}.json")
    with timing.one_at_a_time(root, f"release@{name}"):
        params = load_params(root / "params.yaml")
        verdict = _judge(name, bundle, metrics, params, root, run_id)
        for outcome in verdict.gates:
            print(f"[release@{name}] {outcome}", flush=True)
        if verdict.settled:
            remember(root, name, considered(bundle, params.release, analysed(root, name, params.release)))
        write_gates(root / REPORTS / name / "index.html", verdict.task, verdict.line, verdict.gates or verdict.noted)
    return verdict


def _judge(name: str, bundle: Path, metrics: dict[str, Any], params: Params, root: Path, run_id: str) -> Verdict:
    registry = Registry()
    candidate = registered(registry, name, bundle, metrics, params, root, run_id)
    return _decided(candidate, registry, params, run_id)


def _decided(candidate: Candidate, registry: Registry, params: Params, run_id: str) -> Verdict:
    name, version, tags = candidate.name, candidate.version.version, candidate.version.tags
    scores = scores_of(candidate.metrics, candidate.rung)
    known = f"{name} v{version} ({candidate.rung})"

    def verdict(champion: bool, line: str, gates: Sequence[Outcome] = ()) -> Verdict:
        noted = () if gates else noted_gates(tags)
        return Verdict(name, version, champion, candidate.rung, scores, line, tuple(gates), noted)

    champion = registry.champion(name)
    if champion is not None and champion.version == version:
        return verdict(True, f"{known} is the champion already")
    if ROLLED_BACK in tags:
        back = f"`lianzi rollback {name} --to {version}` takes it again"
        return verdict(False, f"{known} was rolled back, not champion: {back}")
    if DECLINED in tags:
        after_all = f"`lianzi approve {name} --version {version}` takes it all the same"
        return verdict(False, f"{known} was declined, not champion: {tags[DECLINED]}; {after_all}")
    evidence = gather(candidate, champion, registry, params)
    gates = judge(evidence, params.release)
    registry.note_gates(name, version, [(one.gate, one.passed, one.sentence) for one in gates], run_id)
    if refusal := "; ".join(one.sentence for one in gates if not one.passed):
        registry.refuse(name, version, refusal)
        return verdict(False, f"{known} registered, not champion: {refusal}", gates)
    registry.set_challenger(name, version)
    told = _told(scores, evidence.task.metrics)
    if params.release.approval:
        ask = f"`lianzi approve {name}` makes it champion, `--refuse REASON` declines it"
        return verdict(False, f"{known} is the challenger now: {told}; {ask}", gates)
    registry.promote(name)
    before = f", before it v{champion.version}" if champion else ""
    over = sentence(evidence.gains, evidence.task, evidence.baseline)
    return verdict(True, f"{known} is the champion now: {told}{before}; {over}", gates)


def _told(scores: dict[str, float], metrics: Sequence[Metric]) -> str:
    """Every metric with its interval."""
    return ", ".join(
        f"{one.title} {scores[one.name]:.4f} ({scores[f'{one.name}_low']:.3f} to {scores[f'{one.name}_high']:.3f})"
        for one in metrics
    )


def _metrics(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path}: missing, so this bundle was not evaluated", "run `lianzi run`") from None
    return found
