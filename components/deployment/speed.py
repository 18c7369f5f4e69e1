"""How fast a bundle's rungs are on this machine, in turn, and which of them is worth shipping.

Going down the ladder, a rung has to be faster than the one above it that still stands, beyond the noise: the median of
the ratios of their times, of the same rows in the same round, with its whole interval. The verdict goes into
`speed.json` beside a released bundle's manifest, which DVC does not see (docs/decisions/0001, 0018).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts import digest, write_json
from components.deployment.speed_up import SpeedUp, speed_up
from components.deployment.timing import Case, Seconds, time_cases
from components.inference.engines import ENGINES
from components.machine import machine, versions
from components.runtime.bundle import load_bundle
from components.runtime.generation.generator import Generator, Row, load_generator
from components.runtime.generation.sampling import Sampling
from components.runtime.manifest import GENERATION, SPEED_FILE, form_of, megabytes, read_bundle, whole_bundle

TOKENS = 16
"""That a model which generates is timed with."""
SHARES = (50, 95, 99)
PACKAGES = ("numpy", "onnxruntime", "tokenizers")
ON_CPU = ("openvino",)
"""Engines beside ONNX Runtime that run on a CPU: measured where they are installed, and never what is shipped."""

POWER = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Target:
    """What is asked of a rung: more than `min_speedup` over the one above at batches of `batch` rows, in `rounds`
    rounds, the whole interval at `confidence`."""

    batch: int
    min_speedup: float
    rounds: int
    confidence: float


def measure_speed(bundle: Path, texts: Sequence[str], batches: Sequence[int], target: Target) -> dict[str, Any]:
    """Time every rung of a bundle, and judge them: what `speed.json` holds."""
    manifest = whole_bundle(bundle)
    ladder = list(manifest["ladder"])
    rungs = {name: timed_rung(bundle, name) for name in (*ladder, *cpu_engines(manifest))}
    every = cases(rungs[ladder[0]], texts, sorted({*batches, target.batch}))
    seconds = time_cases({name: one.predict for name, one in rungs.items()}, every, target.rounds)
    verdicts = judge({name: seconds[name] for name in ladder}, target)
    shipped = [name for name, verdict in verdicts.items() if verdict["accepted"]][-1]
    energy = _energy(rungs, every[-1])
    return {
        "bundle": digest(bundle),
        "task": manifest["task"],
        "released": False,
        "ladder": ladder,
        "shipped": shipped,
        "shipped_because": verdicts[shipped]["reason"],
        "target": asdict(target),
        "verdicts": verdicts,
        "speed": {
            name: {case.name: _figures(found[case.name], case.batch) for case in every}
            for name, found in seconds.items()
        },
        "megabytes": {name: megabytes(bundle, manifest["rungs"][name]) for name in ladder},
        "memory_megabytes": {name: peak_memory(bundle, name, every[-1].rows(0)) for name in rungs},
        **({"joules_per_1000_rows": energy} if energy else {}),
        "machine": machine() | {"versions": versions(PACKAGES)},
    }


def write_speed(folder: Path, measured: Mapping[str, Any]) -> None:
    """Put a measurement beside a bundle's manifest, where `load_bundle` takes the shipped rung from."""
    write_json(folder / SPEED_FILE, measured)


@dataclass(frozen=True)
class TimedRung:
    """encode: texts -> token ids; predict: one call of the rung with some texts, as a server makes it."""

    encode: Callable[[Sequence[str]], Sequence[Sequence[int]]]
    predict: Callable[[Sequence[str]], Sequence[Any]]


def timed_rung(bundle: Path, rung: str) -> TimedRung:
    """A rung, or an engine, of a bundle that answers or generates."""
    if form_of(read_bundle(bundle)) == GENERATION:
        generator = load_generator(bundle, rung)
        return TimedRung(lambda texts: [generator.encode(text) for text in texts], partial(_carried_on, generator))
    classifier = load_bundle(bundle, rung)
    return TimedRung(classifier.encode, classifier.predict)


def _carried_on(generator: Generator, texts: Sequence[str]) -> list[Row]:
    """The beginning of each text with the likeliest TOKENS behind it, past an end token too: each rung has the same to
    do."""
    by = Sampling(max_tokens=TOKENS, temperature=0.0, top_p=1.0, seed=None, stop=())
    read = max(1, generator.max_length - TOKENS)
    rows = [generator.start(generator.encode(text)[:read], by) for text in texts]
    for first in range(0, len(rows), generator.max_batch):
        batch = rows[first : first + generator.max_batch]
        for _ in range(min(TOKENS, generator.max_length - read)):
            for row, logits in zip(batch, generator.advance(batch), strict=True):
                row.tokens.append(int(logits.argmax()))
    return rows


def cases(rung: TimedRung, texts: Sequence[str], batches: Sequence[int]) -> list[Case]:
    """Every batch size with short and with full rows; the largest batch of full rows comes last."""
    lengths = [len(row) for row in rung.encode(texts)]
    ordered = [texts[place] for place in np.argsort(lengths, kind="stable")]
    quarter = max(1, len(ordered) // 4)
    drawn = {"short": tuple(ordered[:quarter]), "full": tuple(ordered[-quarter:])}
    return [Case(batch, length, drawn[length]) for batch in batches for length in drawn]


def judge(seconds: Seconds, target: Target) -> dict[str, dict[str, Any]]:
    """Verdict of each rung, top of the ladder first: accepted or not, its speed-up over the rung above, the reason."""
    names = list(seconds)
    above = names[0]
    verdicts: dict[str, dict[str, Any]] = {above: {"accepted": True, "reason": "it is the top of the ladder"}}
    for name in names[1:]:
        ratio = speed_up(_at(seconds[above], target.batch), _at(seconds[name], target.batch), target.confidence)
        accepted = ratio.surely_above(target.min_speedup)
        reason = _reason(ratio, above, target)
        verdicts[name] = {"accepted": accepted, "above": above, **ratio.metrics(), "reason": reason}
        above = name if accepted else above
    return verdicts


def _at(seconds: Mapping[str, np.ndarray], batch: int) -> list[np.ndarray]:
    """The cases with batches of this size, short and full rows alike."""
    return [found for name, found in seconds.items() if name.startswith(f"batch_{batch}_")]


def _reason(ratio: SpeedUp, above: str, target: Target) -> str:
    rows = f"{target.batch} row" + ("s" if target.batch > 1 else "")
    doubt = "only " if ratio.value <= target.min_speedup else "perhaps "
    doubt = "" if ratio.surely_above(target.min_speedup) else doubt
    return (
        f"it is {doubt}{ratio.value:.2f} times as fast as {above} at {rows} ({ratio.low:.2f} to {ratio.high:.2f}), "
        f"release.min_speedup asks for more than {target.min_speedup:g}"
    )


def _figures(seconds: np.ndarray, batch: int) -> dict[str, float]:
    """Milliseconds a call at p50, p95 and p99; rows a second."""
    milliseconds = {
        f"p{share}": round(float(value), 3)
        for share, value in zip(SHARES, np.percentile(1e3 * seconds, SHARES), strict=True)
    }
    return milliseconds | {"rows_per_second": round(float(batch * len(seconds) / seconds.sum()), 1)}


def cpu_engines(manifest: Mapping[str, Any]) -> list[str]:
    """The engines of a bundle that run here beside ONNX Runtime."""
    known = [name for name in ON_CPU if name in manifest["engines"] and name in ENGINES]
    return [name for name in known if ENGINES[name].available() is None]


MEMORY = """
import json, sys
from pathlib import Path
import onnxruntime
from components.deployment.speed import peak_kilobytes, timed_rung
bundle, rung, rows = json.load(sys.stdin)
before = peak_kilobytes()
timed_rung(Path(bundle), rung).predict(rows)
print(peak_kilobytes() - before)
"""


def peak_memory(bundle: Path, rung: str, rows: Sequence[str]) -> float | None:
    """Megabytes that loading a rung and answering add to the peak of a fresh process; None where it cannot be told."""
    given = json.dumps([str(bundle), rung, list(rows)])
    done = subprocess.run([sys.executable, "-c", MEMORY], input=given, capture_output=True, text=True, check=False)
    return round(int(done.stdout) * 1024 / 1e6, 1) if done.returncode == 0 else None


def peak_kilobytes() -> int:
    """The peak of this process's resident memory, of its own alone: getrusage counts the one it was forked from."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def _energy(rungs: Mapping[str, TimedRung], case: Case) -> dict[str, float]:
    """Joules of the processor's packages for 1,000 rows; empty where it does not count them (RAPL) or hides it."""
    if package_joules() is None:
        return {}
    return {name: _joules(one, case) for name, one in rungs.items()}


def _joules(rung: TimedRung, case: Case, seconds: float = 1.0) -> float:
    before, began, rows = package_joules() or 0.0, time.perf_counter(), 0
    while time.perf_counter() - began < seconds:
        rows += len(rung.predict(case.rows(rows)))
    return round(1000 * ((package_joules() or 0.0) - before) / rows, 3)


def package_joules(root: Path = POWER) -> float | None:
    """What the processor's packages have used since some start; None where that cannot be read."""
    try:
        counters = [path.read_text() for path in root.glob("intel-rapl:[0-9]/energy_uj")]
    except OSError:
        return None
    return sum(int(counter) for counter in counters) / 1e6 if counters else None
