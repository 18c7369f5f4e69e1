"""The result of a pipeline run, as a table."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.params import flatten
from components.tasks.kinds import METRICS

if TYPE_CHECKING:
    from rich.table import Table

KEY_METRICS = {
    "curate": "documents.train",
    "validate": "expectations",
    "train_tokenizer": "vocab_size",
    "tokenize": "tokens.train",
    "pretrain": "validation_perplexity",
    "finetune": "teacher.{metric}",
    "train_from_scratch": "scratch.{metric}",
    "distill": "{metric}",
    "export": "parity.max_difference",
    "quantize": "{metric}",
    "build": "engines_built",
    "evaluate": "candidate.{metric}",
    "analyze": "errors",
}
"""Stage -> the metric in its row of the table; `{metric}` is the first metric of the task's kind."""

NOT_RUN = "not run"
STYLES = {"ran": "green", "cached": "dim", "restored": "cyan", "failed": "bold red", NOT_RUN: "yellow"}


@dataclass(frozen=True)
class StageResult:
    """The outcome of one stage."""

    name: str
    state: str
    seconds: float
    metric: tuple[str, float] | None
    reason: str = ""


def key_metric(stage: str, root: Path) -> tuple[str, float] | None:
    """The name and value of a stage's key metric, from its metrics file."""
    base, _, name = stage.partition("@")
    path = root / "metrics" / (f"{base}/{name}.json" if name else f"{base}.json")
    if base not in KEY_METRICS or not path.is_file():
        return None
    values = flatten(json.loads(path.read_text(encoding="utf-8")))
    names = (KEY_METRICS[base].format(metric=metric) for metric in METRICS)
    return next(((name, float(values[name])) for name in names if name in values), None)


def table(results: list[StageResult]) -> Table:
    """Stage, state, seconds, key metric; what did not run, since something before it failed, is one row."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False)
    for heading, justify in (("stage", "left"), ("state", "left"), ("seconds", "right"), ("key metric", "left")):
        shown.add_column(heading, justify=justify, no_wrap=heading != "key metric")  # type: ignore[arg-type]
    for result in (one for one in results if one.state != NOT_RUN):
        style = STYLES.get(result.state, "")
        seconds = f"{result.seconds:.1f}" if result.state in ("ran", "restored") else ""
        shown.add_row(result.name, f"[{style}]{result.state}[/]", seconds, _metric(result))
    if waiting := [result.name for result in results if result.state == NOT_RUN]:
        count = f"{len(waiting)} stage{'s' * (len(waiting) > 1)}"
        shown.add_row(count, f"[{STYLES[NOT_RUN]}]{NOT_RUN}[/]", "", _in_short(waiting))
    return shown


def _in_short(names: list[str]) -> str:
    """Stages of tasks by what they do: `distill@topic` and `distill@form` are one."""
    return ", ".join(dict.fromkeys(name.partition("@")[0] for name in names))


def _metric(result: StageResult) -> str:
    from rich.markup import escape

    if result.metric is None:
        return escape(result.reason if len(result.reason) < 60 else result.reason[:59] + "…")
    name, value = result.metric
    return f"{name} {value:,.0f}" if value == int(value) else f"{name} {value:.4g}"
