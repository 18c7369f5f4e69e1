"""The evaluation as one page to read, pictures inside."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.text import Text

from components.evaluation.baselines.table import BASELINES, compared_with, to_beat
from components.evaluation.figures import DEFAULT_FAMILY, title_of
from components.evaluation.spread import told
from components.evaluation.versus_baseline import sentence, signed
from components.tasks.task import Task

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

FALLBACK = "'Noto Sans CJK SC', sans-serif"

STEPS = {
    "over_baseline": "the whole, over the baseline",
    "pretraining": "pretraining",
    "distillation": "distillation",
    "export": "export to ONNX",
    "quantization": "quantization",
}


ANSWERED = {
    "causal_lm": "tokens",
    "choices": "test rows",
    "embedding": "test rows",
    "seq2seq_lm": "test rows",
    "sequence": "test rows",
    "spans": "test rows",
    "tokens": "words",
}
"""What answers are counted in, by the head of a task."""


def write_page(
    path: Path,
    task_name: str,
    made: Mapping[str, Any],
    order: Sequence[str],
    metrics: Metrics,
    figures: Mapping[str, Figure],
    counted: Sequence[str],
    task: Task,
) -> None:
    """Write a self-contained HTML page; `made`: the bundle's manifest; `order`: the systems, from what has to be beaten
    to the candidate for release; `counted`: the baselines and their settings.

    It holds nothing of the machine: equal results give equal bytes.
    """
    candidate, refused = made["candidate"], refused_rungs(made)
    metric = task.metrics[0]
    title = metric.title[0].upper() + metric.title[1:]
    parts = [
        f"<h1>{escape(task_name)}: evaluation on {metrics['test_rows']:,} test rows</h1>",
        f"<p>Candidate for release: <b>{escape(candidate)}</b>, the last rung that kept its quality. Which rung ships "
        f"is decided at release, by how fast each is: reports/speed/{escape(task_name)}/index.html.</p>",
        f"<p>Distillation: {escape(made['distillation'])}.</p>" if made.get("distillation") else "",
        *_beside_baselines(metrics, task),
        section("Systems", _systems(order, metrics, task)),
        picture(figures[metric.name], f"{title} of every system with its interval"),
        section("Seeds", _spreads(metrics["seeds"], task)) if "seeds" in metrics else "",
        section("Refused rungs", table(["rung", "reason"], list(refused.items()))) if refused else "",
        f'<p class="note">Tuned on the validation rows: {escape("; ".join(counted))}.</p>',
        '<p class="note">Intervals: percentile bootstrap over test rows. There are no timings on this page: they are a '
        "matter of the machine.</p>",
        section(f"What each step bought, in {metric.title}", _gains(metrics["gain"])),
        *_answers(candidate, metrics["candidate"], figures, "entities" if task.output.per_token else "test rows"),
        section("Same answer", _agreements(metrics["agreement"], task)),
    ]
    write_html(path, f"{task_name}: evaluation", parts)


def _beside_baselines(metrics: Metrics, task: Task) -> list[str]:
    """The candidate beside the baseline to beat, and beside the others that there are."""
    told = {compared_with(metrics, task).phrase: metrics["over_baseline"]["candidate"]}
    others = metrics.get("over_further", {}).items()
    told |= {BASELINES.get(name, to_beat(task)).phrase: gains for name, gains in others}
    return [f"<p>Its {escape(sentence(gains, task, phrase))}.</p>" for phrase, gains in told.items()]


def write_html(path: Path, title: str, parts: Sequence[str]) -> None:
    """Write a page of these parts, in the one style."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    path.write_text("\n".join([head, *parts]) + "\n", encoding="utf-8")


def refused_rungs(made: Mapping[str, Any]) -> dict[str, str]:
    """Rung -> why its quality, or the gate, kept it out of the bundle with this manifest."""
    rungs = made.get("quantization", {})
    return {
        name: f"it {rung['reason']}"
        for name, rung in rungs.items()
        if isinstance(rung, dict) and "accepted" in rung and not rung["accepted"]
    }


def _answers(candidate: str, scores: Metrics, figures: Mapping[str, Figure], counted: str) -> list[str]:
    """How the candidate answers: by label, or number beside number; `counted`: what classes are counted in. Of texts
    that are carried on there is neither."""
    if "per_class" not in scores and "scatter" not in figures:
        return []
    if "per_class" not in scores:
        return [section(f"The candidate {candidate}", picture(figures["scatter"], "Actual and predicted numbers"))]
    return [
        section(f"The candidate {candidate}, by label", _labels(scores["per_class"], counted)),
        picture(figures["confusion"], "Confusion matrix of the candidate") if "confusion" in figures else "",
    ]


def _systems(order: Sequence[str], metrics: Metrics, task: Task) -> str:
    measures = task.metrics
    first = measures[0]
    columns = [cell for metric in measures for cell in (metric.title, "interval")]
    than = "over" if first.larger_is_better else "better than"
    header = ["system", *columns, "MB", f"{first.title} {than} {compared_with(metrics, task).phrase}"]
    rows = []
    for system in order:
        score = metrics[system]
        scores = [
            cell
            for name in (metric.name for metric in measures)
            for cell in (f"{score[name]:.4f}", f"{score[f'{name}_low']:.3f} – {score[f'{name}_high']:.3f}")
        ]
        size = f"{metrics['size_megabytes'][system]:.2f}"
        over = metrics["over_baseline"].get(system)
        rows.append([title_of(system, task), *scores, size, "" if over is None else signed(over[first.name])])
    return table(header, rows)


def _spreads(seeds: Mapping[str, Mapping[str, Any]], task: Task) -> str:
    """Of what was fine-tuned several times; sd: of the sample."""
    means = [f"{metric.title}, mean ± sd" for metric in task.metrics]
    header = ["system", "seeds", *means, "chosen on validation rows"]
    rows = [
        [
            title_of(name, task),
            f"{found['count']}",
            *(told(found[metric.name]) for metric in task.metrics),
            f"seed {found['chosen']}",
        ]
        for name, found in seeds.items()
    ]
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


def _labels(classes: Mapping[str, Mapping[str, float]], counted: str) -> str:
    rows = [
        [label, *(f"{found[name]:.3f}" for name in ("precision", "recall", "f1")), f"{found['support']}"]
        for label, found in classes.items()
    ]
    return table(["label", "precision", "recall", "F1", counted], rows)


def _agreements(agreement: Mapping[str, float], task: Task) -> str:
    return table(
        ["pair", f"share of {ANSWERED[task.head]}"],
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
    """A figure inside the page: lines, and text as text, so that its bytes depend on no font of this machine."""
    import matplotlib

    buffer = io.BytesIO()
    # A character that the font matplotlib comes with lacks is measured as a box, and drawn by the reader's own font.
    for text in figure.findobj(Text):
        text.set_fontfamily(DEFAULT_FAMILY)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "lianzi"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    drawn = buffer.getvalue().replace(f"'{DEFAULT_FAMILY}'".encode(), f"'{DEFAULT_FAMILY}', {FALLBACK}".encode())
    data = base64.b64encode(drawn).decode()
    return f'<p><img alt="{escape(description)}" src="data:image/svg+xml;base64,{data}"></p>'
