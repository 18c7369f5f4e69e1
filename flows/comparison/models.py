"""The models of results on the same test rows: scores, tested differences, seeds, latency in turn, size."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components import tracking
from components.artifacts import digest
from components.deployment.timing import latencies
from components.errors import LianziError, first_line
from components.evaluation.differences import Difference, Seeds, differences, sentence
from components.evaluation.metrics import Bootstrap
from components.evaluation.rungs import bundle_rung
from components.evaluation.spread import spreads
from components.evaluation.spread import told as spread_told
from components.params import Params
from components.registry import Registry
from components.runtime.manifest import SPEED_FILE, megabytes, read_bundle, shipped_rung
from components.tasks.kinds import task_of
from components.tasks.metrics import Metric
from components.tasks.rows import read_split, read_task
from components.tracking.inputs import outputs
from flows.reproduction.outputs import Recorded

BATCH = 1
TASKS = "artifacts/tasks"


@dataclass(frozen=True)
class Rung:
    """A rung of a bundle. score: the first metric on the test rows; milliseconds: the median of calls with one row."""

    name: str
    score: float
    milliseconds: float
    megabytes: float
    default: bool


@dataclass(frozen=True)
class Comparison:
    """Bundles of a task, each of the result of that name. differences: of each but the first beside the first, by every
    metric, and of configurations where one has several seeds; told: the same in sentences, with the spread of seeds;
    rungs: of each bundle."""

    task: str
    rows: int
    metric: Metric
    names: tuple[str, ...]
    differences: tuple[Difference, ...]
    told: tuple[str, ...]
    rungs: tuple[tuple[Rung, ...], ...]


def tasks_of(lock: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Task -> the output that is its bundle."""
    return {Path(path).parent.name: out for path, out in outputs(lock).items() if Path(path).name == "bundle"}


def fetched(out: Mapping[str, Any], recorded: Recorded, folder: Path, below: str = "") -> bool:
    """Lay out a recorded folder, or the part of it below a name, in `folder`; False where DVC's cache lacks a file."""
    files = recorded.files(out)
    if files is None:
        return False
    for name, md5 in files.items():
        if not name.startswith(below):
            continue
        content = recorded.bytes_of(md5)
        if content is None:
            return False
        target = folder / name.removeprefix(below)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return True


def add_timings(task: str, bundle: Path) -> None:
    """Lay the timings with which a bundle was registered beside its files: they say which of its rungs answers. DVC has
    none, since they are no function of the inputs."""
    if not tracking.store_exists():
        return
    registry = Registry()
    number = registry.version_of(task, digest(bundle))
    if number is not None and (timings := registry.bundle(task, number) / SPEED_FILE).is_file():
        shutil.copyfile(timings, bundle / SPEED_FILE)


def unlike(bundle: Path, rows: Path) -> str:
    """Why a bundle's answers to the rows cannot be set beside those of others; "" where they can. Answers are numbers
    of labels, so the model must have been given those of the rows."""
    try:
        made = task_of(read_bundle(bundle))
    except LianziError as error:  # of an older form, which nothing reads any more
        return f"its bundle cannot be read ({first_line(error)})"
    asked = read_task(rows)
    if (made.kind, made.pair) != (asked.kind, asked.pair):
        return "it has the task as another kind"
    if (made.labels, made.passages) != (asked.labels, asked.passages):
        return "it has other labels or answers"
    return ""


def compared(
    task_name: str,
    bundles: Mapping[str, Path],
    rows: Path,
    params: Params,
    configurations: Sequence[Sequence[str]] = (),
) -> Comparison:
    """Score and time bundles by their results' names, every rung, on the test rows in `rows`; one thread each, in turn.

    Each is compared with the first. configurations: names of results that differ in their seed alone.
    """
    task = read_task(rows)
    test = read_split(rows / "test.jsonl", task)
    texts: list[Any] = [task.text(row) for row in test]
    bootstrap = Bootstrap(
        task, task.targets(test), params.evaluate.bootstrap_samples, params.evaluate.confidence, params.seed
    )
    made = {name: read_bundle(bundle) for name, bundle in bundles.items()}
    systems = {
        # Decoded as its own manifest says: a threshold or a scale is the model's, not the rows'.
        (name, rung): bundle_rung(task_of(made[name]), bundle, rung)
        for name, bundle in bundles.items()
        for rung in made[name]["ladder"]
    }
    answers = {key: answer(texts) for key, answer in systems.items()}
    spent = latencies(
        {f"{name} {rung}": one for (name, rung), one in systems.items()}, texts, [BATCH], params.release.system_rounds
    )
    metric = task.metrics[0]
    ships = {name: shipped_rung(bundle, made[name]) for name, bundle in bundles.items()}

    def rung_of(name: str, rung: str) -> Rung:
        score = bootstrap.interval(metric, answers[name, rung]).value
        milliseconds = spent[f"{name} {rung}"][f"batch_{BATCH}"]["p50"]
        size = megabytes(bundles[name], made[name]["rungs"][rung])
        return Rung(rung, score, milliseconds, size, rung == ships[name])

    shipped = {name: answers[name, ships[name]] for name in bundles}
    found, told = told_of(bootstrap, params.evaluate.confidence, shipped, configurations)
    rungs = tuple(tuple(rung_of(name, rung) for rung in made[name]["ladder"]) for name in bundles)
    return Comparison(task_name, len(test), metric, tuple(bundles), found, tuple(told), rungs)


def told_of(
    bootstrap: Bootstrap,
    confidence: float,
    shipped: Mapping[str, np.ndarray],
    configurations: Sequence[Sequence[str]],
) -> tuple[tuple[Difference, ...], list[str]]:
    """The answers of what ships of each result, compared with the first's; those of several seeds together as well.
    The differences, and sentences."""
    found = beside_first(bootstrap, confidence, {name: [one] for name, one in shipped.items()})
    seeds = _of_seeds(configurations, shipped)
    told = [*sentences(found), *(_spread(name, one, bootstrap) for name, one in seeds.items() if len(one) > 1)]
    if 1 < len(seeds) < len(shipped):
        of_seeds = beside_first(bootstrap, confidence, seeds)
        found, told = found + of_seeds, told + sentences(of_seeds)
    return found, told


def beside_first(bootstrap: Bootstrap, confidence: float, systems: Mapping[str, Seeds]) -> tuple[Difference, ...]:
    """How every other system differs from the first, by every metric."""
    first, *others = systems
    pairs = [(first, other) for other in others]
    by_metric = [differences(bootstrap, metric, systems, confidence, pairs) for metric in bootstrap.task.metrics]
    return tuple(one for of_pair in zip(*by_metric, strict=True) for one in of_pair)


def sentences(found: Iterable[Difference]) -> list[str]:
    """A line for each two systems."""
    by_pair: dict[tuple[str, str], list[str]] = {}
    for one in found:
        by_pair.setdefault((one.first, one.second), []).append(sentence(one))
    return [f"{second} beside {first}: {'; '.join(dict.fromkeys(told))}" for (first, second), told in by_pair.items()]


def _of_seeds(configurations: Sequence[Sequence[str]], shipped: Mapping[str, np.ndarray]) -> dict[str, Seeds]:
    """The answers of each configuration, called by its results."""
    known = [[name for name in names if name in shipped] for names in configurations]
    return {", ".join(names): [shipped[name] for name in names] for names in known if names}


def _spread(name: str, answers: Seeds, bootstrap: Bootstrap) -> str:
    task = bootstrap.task
    scores = {number: task.scores(bootstrap.targets, one) for number, one in enumerate(answers)}
    found = spreads(scores, 0, task.metrics)
    values = ", ".join(f"{metric.title} {spread_told(found[metric.name])}" for metric in task.metrics)
    return f"{len(answers)} seeds of one configuration ({name}): {values}"
