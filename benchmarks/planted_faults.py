"""Faults planted in a bundle, and what the gate says of each: `python -m benchmarks.planted_faults`, about two minutes.

Of every kind of task a small model of two layers is trained, exported, quantized and bundled; every fault goes into a
copy of that bundle, whose manifest is written anew, so that nothing but the fault gives it away. The bundle without a
fault has to pass. The exit code is 1 where a fault passes, is put down to another part, or a right bundle is refused.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.report import RESULTS
from components.artifacts import write_json
from components.machine import machine, versions
from components.modeling.kinds import CARRIES_ON
from components.params import Params, load_params
from components.tasks.rows import read_task
from flows import env_defaults
from tests.deployment.planted_faults import FAULTS, Fault, nothing, plant, refusal, refusal_to_build
from tests.small_artifacts import small_tokenizer
from tests.small_kinds import ROW_OF, small_rows
from tests.small_ladder import Ladder, small_ladder


@dataclass(frozen=True)
class Verdict:
    """`part` is empty where the bundle passed; `right`: whether that, or the part and the name, is as it should be."""

    part: str
    reason: str
    right: bool


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--kinds", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    options.add_argument("--record", action="store_true", help="write benchmarks/results/planted_faults.json")
    chosen = options.parse_args(arguments)
    env_defaults.prepare()
    params = load_params(Path("params.yaml"))
    found: dict[str, Verdict] = {}
    with tempfile.TemporaryDirectory() as name:
        for kind in chosen.kinds:
            ladder = make_ladder(Path(name, kind), kind, params)
            tried = {f"{kind}: no fault": Fault(nothing, "", "")} | FAULTS[kind]
            for number, (fault, entry) in enumerate(tried.items()):
                found[fault] = judge(entry, ladder, params, Path(name, kind, str(number)))
    Console(highlight=False, width=160).print(table(found))
    if chosen.record:
        verdicts = {fault: asdict(verdict) for fault, verdict in found.items()}
        packages = ("onnx", "onnxruntime", "torch", "transformers")
        content = {"verdicts": verdicts, "machine": machine(), "versions": versions(packages)}
        write_json(RESULTS / "planted_faults.json", content)
    return int(not all(verdict.right for verdict in found.values()))


def make_ladder(folder: Path, kind: str, params: Params) -> Ladder:
    """The ladder of a model of two layers for a task of this kind, from training to the bundle."""
    os.environ["LIANZI_CACHE"] = str(folder / "cache")
    rows, tokenizer = small_rows(folder / "rows", kind, ROW_OF[kind]), small_tokenizer(folder / "tokenizer")
    return small_ladder(folder / "ladder", params, rows, tokenizer, layers=2)


def judge(fault: Fault, ladder: Ladder, params: Params, folder: Path) -> Verdict:
    """Plant a fault and ask the gate."""
    if read_task(ladder.rows).head == CARRIES_ON:
        refused = refusal_to_build(fault, ladder, params, folder)
    else:
        refused = refusal(plant(fault, ladder, folder), ladder, params.gate)
    if refused is None:
        return Verdict("", "passes", not fault.part)
    return Verdict(refused.part, refused.reason, refused.part == fault.part and fault.named in refused.reason)


def table(found: dict[str, Verdict]) -> Table:
    """Fault, the part it was refused by, what was named, and whether that was right."""
    shown = Table(title="Faults planted in a bundle, and what the gate says", title_justify="left", box=None)
    for heading in ("fault", "refused by", "reason", "right"):
        shown.add_column(heading)
    for fault, verdict in found.items():
        shown.add_row(fault, verdict.part, verdict.reason, "yes" if verdict.right else "NO")
    return shown


if __name__ == "__main__":
    raise SystemExit(main())
