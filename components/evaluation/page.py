"""The evaluation as one page to read, pictures inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.evaluation.figures import TITLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from components.run import Metrics

STYLE = """
body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; color: #1f2933 }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; display: block; overflow-x: auto }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #dde3e9; text-align: right } th { font-weight: 600 }
th:first-child, td:first-child { text-align: left }
img { max-width: 100% } p.note { color: #5b6773; font-size: .9rem }
"""

STEPS = {
    "over_baseline": "the whole, over the baseline",
    "pretraining": "pretraining",
    "distillation": "distillation",
    "export": "export to ONNX",
    "quantization": "quantization",
}


def write_page(
    path: Path,
    task_name: str,
    order: Sequence[str],
    metrics: Metrics,
    latency: Mapping[str, Any],
    figures: Mapping[str, Figure],
) -> None:
    """Write a self-contained HTML page; `order`: the systems, from what has to be beaten to what is shipped."""
    parts = [
        f"<h1>{escape(task_name)}: evaluation on {metrics['test_rows']:,} test rows</h1>",
        section("Systems", _systems(order, metrics, latency)),
        picture(figures["macro_f1.png"], "Macro-F1 of every system with its interval"),
        '<p class="note">Intervals: percentile bootstrap over test rows. Every system ran on one CPU thread; '
        "times include the tokenizer and were taken in turn, on this machine alone.</p>",
        section("What each step bought, in macro-F1", _gains(metrics["gain"])),
        section("The shipped model, by label", _labels(metrics["shipped"]["per_class"])),
        picture(figures["confusion.png"], "Confusion matrix of the shipped model"),
        section("Latency", picture(figures["latency.png"], "Latency of every system")),
        section("Same answer", _agreements(metrics["agreement"])),
    ]
    write_html(path, f"{task_name}: evaluation", parts)


def write_html(path: Path, title: str, parts: Sequence[str]) -> None:
    """Write a page of these parts, in the one style."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    path.write_text("\n".join([head, *parts]) + "\n", encoding="utf-8")


def _systems(order: Sequence[str], metrics: Metrics, latency: Mapping[str, Any]) -> str:
    batches = list(next(iter(latency.values())))
    header = [
        "system",
        "accuracy",
        "macro-F1",
        "interval",
        "MB",
        *(f"ms, {batch.replace('_', ' ')}" for batch in batches),
    ]
    rows = []
    for name in order:
        score = metrics[name]
        interval = f"{score['macro_f1_low']:.3f} – {score['macro_f1_high']:.3f}"
        size = f"{metrics['size_megabytes'][name]:.1f}"
        medians = [f"{latency[name][batch]['p50']:.2f}" if name in latency else "as teacher" for batch in batches]
        rows.append([TITLES[name], f"{score['accuracy']:.4f}", f"{score['macro_f1']:.4f}", interval, size, *medians])
    return table(header, rows)


def _gains(gains: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        [STEPS[name], f"{gain['value']:+.4f}", f"{gain['low']:+.4f} … {gain['high']:+.4f}", _reading(gain)]
        for name, gain in gains.items()
    ]
    return table(["step", "gain", "interval", ""], rows)


def _reading(gain: Mapping[str, float]) -> str:
    if gain["low"] > 0:
        return "better"
    return "worse" if gain["high"] < 0 else "no difference shown"


def _labels(classes: Mapping[str, Mapping[str, float]]) -> str:
    rows = [
        [label, *(f"{found[name]:.3f}" for name in ("precision", "recall", "f1")), f"{found['support']}"]
        for label, found in classes.items()
    ]
    return table(["label", "precision", "recall", "F1", "test rows"], rows)


def _agreements(agreement: Mapping[str, float]) -> str:
    return table(
        ["pair", "share of test rows"],
        [[" and ".join(name.split("_")), f"{share:.2%}"] for name, share in agreement.items()],
    )


def section(title: str, content: str) -> str:
    """A part with a heading; `content` is HTML."""
    return f"<h2>{escape(title)}</h2>\n{content}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows of plain text."""
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def picture(figure: Figure, description: str) -> str:
    """A figure inside the page."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<p><img alt="{escape(description)}" src="data:image/png;base64,{data}"></p>'
