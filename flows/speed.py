"""lianzi speed: the rungs of a bundle, timed in turn on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.artifacts import MANIFEST, read_manifest
from components.errors import ArtifactError, ParameterError
from components.params import Params, load_params

if TYPE_CHECKING:
    from rich.table import Table

REPORTS = Path("reports/speed")


def bundle_of(root: Path, what: str) -> Path:
    """The bundle in a folder, or the one last built for a task. Raises ParameterError, ArtifactError."""
    if (Path(what) / MANIFEST).is_file():
        return Path(what)
    known = list(load_params(root / "params.yaml").tasks)
    if what not in known:
        raise ParameterError(f"'{what}' is neither a bundle's folder nor a task", f"tasks: {', '.join(known)}")
    bundle = root / "artifacts" / what / "bundle"
    read_manifest(bundle, "bundle")
    return bundle


def measured(root: Path, bundle: Path, params: Params) -> dict[str, Any]:
    """Time a bundle's rungs on the test rows of its task. Raises ArtifactError without rows."""
    from components.deployment.rows import read_rows
    from components.deployment.speed import Target, measure_speed

    manifest = read_manifest(bundle, "bundle")
    if "labels" not in manifest:
        raise ArtifactError(
            f"{bundle}: not a classifier's bundle", "a language model's rungs are timed as it is bundled"
        )
    rows = root / "artifacts" / "tasks" / manifest["task"]
    if not (rows / "test.jsonl").is_file():
        raise ArtifactError(f"{rows}: no rows of '{manifest['task']}' to time with", "`dvc repro curate` makes them")
    texts = read_rows(rows, "test", manifest["labels"]).texts
    release = params.release
    target = Target(release.target_batch, release.min_speedup, release.speed_rounds, release.confidence)
    return measure_speed(bundle, texts, params.evaluate.latency_batches, target)


def report(root: Path, found: dict[str, Any], scores: dict[str, Any], refused: dict[str, str]) -> Path:
    """Write reports/speed/TASK/: the page, the picture and the numbers. Returns the folder."""
    from components.deployment.speed import write_speed
    from components.evaluation.speed_page import write_speed_page

    folder = root / REPORTS / found["task"]
    write_speed_page(folder / "index.html", found, scores, refused)
    write_speed(folder, found)
    return folder


def refused_for_quality(bundle: Path) -> dict[str, str]:
    """Rung -> why it is not in the bundle."""
    rungs = read_manifest(bundle, "bundle").get("quantization", {})
    return {
        name: f"it {rung['reason']}"
        for name, rung in rungs.items()
        if isinstance(rung, dict) and "accepted" in rung and not rung["accepted"]
    }


def show_speed(root: Path, what: str) -> None:
    """Measure, and print the table."""
    from rich.console import Console

    bundle = bundle_of(root, what)
    found = measured(root, bundle, load_params(root / "params.yaml"))
    console = Console(highlight=False, soft_wrap=True)
    console.print(sizes(found), "", times(found), "", sep="\n")
    for name, verdict in found["verdicts"].items():
        if not verdict["accepted"]:
            console.print(f"{name} refused: {verdict['reason']}")
    for name, reason in refused_for_quality(bundle).items():
        console.print(f"{name} refused: {reason}")
    console.print(f"ships {found['shipped']}: {found['shipped_because']}")


def sizes(found: dict[str, Any]) -> Table:
    """A row a rung: megabytes of its file, and what it adds to the memory of a process."""
    shown = _table("rung", "MB", "peak memory, MB")
    for name, peak in found["memory_megabytes"].items():
        size = found["megabytes"].get(name)
        shown.add_row(name, "" if size is None else f"{size:.2f}", "" if peak is None else f"{peak:.0f}")
    return shown


def times(found: dict[str, Any]) -> Table:
    """A row a rung and case: milliseconds a call, and rows a second."""
    shown = _table("case", "rung", "p50 ms", "p95", "p99", "rows/s")
    for case in next(iter(found["speed"].values())):
        for name, figures in found["speed"].items():
            one = figures[case]
            cells = [f"{one[share]:.2f}" for share in ("p50", "p95", "p99")]
            shown.add_row(case.replace("_", " "), name, *cells, f"{one['rows_per_second']:,.0f}")
    return shown


def _table(*headings: str) -> Table:
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    for heading in headings:
        shown.add_column(heading, justify="left" if heading in ("rung", "case") else "right", no_wrap=True)
    return shown
