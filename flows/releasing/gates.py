"""The gates of a release: each judges one thing about a bundle, in a sentence with the figure and its limit.

A model that passes all becomes challenger. A sentence is told whether the gate lets the model pass or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from components.deployment.config import ReleaseConfig
from components.deployment.speed_up import SpeedUp
from components.evaluation.metrics import Interval
from components.evaluation.versus_baseline import Gain, sentence, shortfall
from components.tasks.task import Task
from flows.releasing.behaviour import LIMITS, Behaviour, asked

FIGURES = ("agreement", "greedy_exact", "max_difference", "layer_noise")
"""What the gate's sentence on parity shows of the record that `build` keeps of a rung, as far as it is there."""
REPRODUCED = "equal"
"""How the record of `lianzi reproduce` begins where all outputs were equal."""


@dataclass(frozen=True)
class Rival:
    """The champion on today's test rows, by the first metric. gain: of the new model over it; slowdown: how many times
    as long the new one takes, None where that was not asked for."""

    version: int
    score: float
    gain: Interval
    slowdown: SpeedUp | None = None


@dataclass(frozen=True)
class Evidence:
    """What is known of the rung that ships.

    score, teacher: by the first metric on the test rows; gains: over the baseline that `baseline` names; milliseconds:
    p50 of calls with release.target_batch rows, None where that was not timed; parity: figures of the rung's comparison
    with PyTorch, None without; leaks: table -> rows that stand in a held-out split, and rows, None without; licences:
    source of the corpus -> licence; reproduced: what `lianzi reproduce` noted, "" without; behaviour: analysis -> what
    it found, None where `analyze` did not run.
    """

    name: str
    version: int
    rung: str
    task: Task
    score: float
    teacher: float
    gains: Mapping[str, Gain]
    baseline: str
    rival: Rival | None
    milliseconds: float | None
    megabytes: float
    parity: Mapping[str, float] | None
    leaks: Mapping[str, tuple[int, int]] | None
    licences: Mapping[str, str]
    reproduced: str
    behaviour: Mapping[str, Behaviour] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a gate said."""

    gate: str
    passed: bool
    sentence: str

    def __str__(self) -> str:
        return f"{self.gate} {'passed' if self.passed else 'refused'}: {self.sentence}"


Gate = Callable[[Evidence, ReleaseConfig], tuple[bool, str]]


def judge(evidence: Evidence, limits: ReleaseConfig) -> list[Outcome]:
    """What every gate says; of those on behaviour the ones that a limit of params.yaml asks for."""
    always = [Outcome(name, *gate(evidence, limits)) for name, gate in GATES.items()]
    return [*always, *(Outcome(name, *_behaviour(name, evidence, limits)) for name in asked(limits))]


def _teacher(found: Evidence, limits: ReleaseConfig) -> tuple[bool, str]:
    metric = found.task.metrics[0]
    loss = metric.improvement(found.score, found.teacher)
    if loss <= 0:
        return True, f"{metric.title} {found.score:.4f} is no worse than its teacher's {found.teacher:.4f}"
    told = f"loses {loss:.4f} {metric.title} to its teacher, release.max_loss allows {limits.max_loss:g}"
    return loss <= limits.max_loss, told


def _baseline(found: Evidence, limits: ReleaseConfig) -> tuple[bool, str]:
    if short := shortfall(found.gains, limits.min_gain_over_baseline, found.task, found.baseline):
        return False, f"{short}, release.min_gain_over_baseline asks for {limits.min_gain_over_baseline:g}"
    return True, sentence(found.gains, found.task, found.baseline)


def _champion(found: Evidence, limits: ReleaseConfig) -> tuple[bool, str]:
    """The gain itself decides, unless sure_gain asks for its whole interval."""
    if (rival := found.rival) is None:
        return True, "there is no champion of this kind of task to compare with"
    gain, title = rival.gain, found.task.metrics[0].title
    asked = f"{limits.min_gain:g}" + (" with the whole interval (release.sure_gain)" if limits.sure_gain else "")
    told = (
        f"{title} {found.score:.4f} against {rival.score:.4f} of the champion v{rival.version}, "
        f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) on the same rows, "
        f"release.min_gain asks for more than {asked}"
    )
    return (gain.low if limits.sure_gain else gain.value) > limits.min_gain, told


def _latency(found: Evidence, limits: ReleaseConfig) -> tuple[bool, str]:
    """Against the champion it is refused where the whole interval is beyond: rounds on a shared machine vary."""
    rows = f"{limits.target_batch} row" + ("s" if limits.target_batch > 1 else "")
    if found.milliseconds is None:
        told = f"calls of {rows} were not timed when it was registered"
    else:
        told = f"{found.milliseconds:.2f} ms a call of {rows} (p50)"
    passed = limits.max_milliseconds is None
    if limits.max_milliseconds is not None:
        passed = found.milliseconds is not None and found.milliseconds <= limits.max_milliseconds
        told += f", release.max_milliseconds allows {limits.max_milliseconds:g}"
    if found.rival and (slowdown := found.rival.slowdown) and limits.max_slowdown is not None:
        passed &= not slowdown.surely_above(limits.max_slowdown)
        told += (
            f"; {slowdown} times as long as the champion v{found.rival.version}, "
            f"release.max_slowdown allows {limits.max_slowdown:g}"
        )
    return passed, told


def _size(found: Evidence, limits: ReleaseConfig) -> tuple[bool, str]:
    told = f"{found.megabytes:.3f} MB"
    if limits.max_megabytes is None:
        return True, told
    return found.megabytes <= limits.max_megabytes, f"{told}, release.max_megabytes allows {limits.max_megabytes:g}"


def _parity(found: Evidence, limits: ReleaseConfig) -> tuple[bool, str]:
    if found.parity is None:
        return False, (
            f"metrics/build/{found.name}.json has no comparison of {found.rung} with PyTorch: "
            f"`dvc repro --force build@{found.name}` makes it"
        )
    told = ", ".join(f"{name.replace('_', ' ')} {found.parity[name]:.3g}" for name in FIGURES if name in found.parity)
    return True, f"`build` let {found.rung} pass against PyTorch" + (f": {told}" if told else "")


def _leakage(found: Evidence, limits: ReleaseConfig) -> tuple[bool, str]:
    if found.leaks is None:
        return False, "artifacts/validation has no verdict on this data: `dvc repro validate` makes it"
    told = ", ".join(f"{leaked:,} of {rows:,} in {table}" for table, (leaked, rows) in found.leaks.items())
    return not any(leaked for leaked, _ in found.leaks.values()), f"rows that a held-out split has too: {told}"


def _licences(found: Evidence, limits: ReleaseConfig) -> tuple[bool, str]:
    """Of the corpus: labelled rows have no licence to judge."""
    told = ", ".join(sorted(set(found.licences.values()))) or "none named"
    if not limits.licences:
        return True, f"of the corpus: {told}"
    others = [f"{licence} of {name}" for name, licence in found.licences.items() if licence not in limits.licences]
    if others or not found.licences:
        told = ", ".join(others) or "the bundle names none"
        return False, f"{told}; release.licences allows {', '.join(limits.licences)}"
    return True, f"of the corpus: {told}; release.licences allows them"


def _reproduced(found: Evidence, limits: ReleaseConfig) -> tuple[bool, str]:
    told = found.reproduced or "nobody computed it anew"
    if found.reproduced.startswith(REPRODUCED):
        return True, told
    if not limits.require_reproduced:
        return True, f"not asked for: {told}"
    ask = f"`lianzi reproduce {found.name}@{found.version}` does, then `lianzi run`"
    return False, f"{told}, release.require_reproduced asks for it: {ask}"


def _behaviour(name: str, found: Evidence, limits: ReleaseConfig) -> tuple[bool, str]:
    """Of a kind that the analysis does not fit there is nothing to judge; of one that it fits, it has to be there."""
    limit = LIMITS[name]
    if found.behaviour is None:
        return False, f"metrics/analyze/{found.name}.json is missing: `dvc repro analyze@{found.name}` makes it"
    behaviour = found.behaviour.get(limit.analysis)
    if behaviour is None and not limit.fits(found.task):
        return True, f"{limit.analysis} is not looked at where the kind is {found.task.kind.replace('_', ' ')}"
    return limit.judge(behaviour, getattr(limits, limit.parameter))


GATES: dict[str, Gate] = {
    "teacher": _teacher,
    "baseline": _baseline,
    "champion": _champion,
    "latency": _latency,
    "size": _size,
    "parity": _parity,
    "leakage": _leakage,
    "licences": _licences,
    "reproduced": _reproduced,
}
"""Name -> gate, in the order in which their sentences are told."""
