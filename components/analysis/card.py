"""The model card in the Hugging Face format, from the numbers of the page: the bundle's own card with results."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.analysis.errors import cut
from components.analysis.page import SHOWN_ERRORS, Told, headlines, in_words, over_baseline
from components.tasks.task import Task

TYPES = {
    "causal_lm": "text-generation",
    "choices": "multiple-choice",
    "embedding": "sentence-similarity",
    "seq2seq_lm": "text2text-generation",
    "sequence": "text-classification",
    "spans": "question-answering",
    "tokens": "token-classification",
}
"""Head of a task -> the hub's name of such tasks."""
OWN_TYPES = ("summarization", "translation")
"""Kinds that the hub calls as they are called here."""
METRICS = {
    "macro_f1": "f1",
    "micro_f1": "f1",
    "pearson": "pearsonr",
    "spearman": "spearmanr",
    "mean_absolute_error": "mae",
    "rouge_l": "rouge",
    "span_f1": "seqeval",
    "token_accuracy": "accuracy",
}
"""Metric -> its name on the hub, where that is another."""
MARKUP = re.compile(r"[\\`*_\[\]<>#|~&$]|^[-+]|^\d+(?=[.)])")
"""What Markdown would take for its own in a line of text."""


def write_card(path: Path, told: Told) -> None:
    """Write README.md: the metadata that model hubs read, the card of the bundle, and what is known of the model on
    its test rows."""
    body = (told.subject.bundle / "README.md").read_text(encoding="utf-8").split("\n---\n", 1)[-1]
    path.write_text(f"---\n{_header(told)}---\n{body}\n{_results(told)}", encoding="utf-8")


def _header(told: Told) -> str:
    """YAML, whose values are written as JSON: every JSON value is one of YAML."""
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in metadata(told).items())


def metadata(told: Told) -> dict[str, Any]:
    """As the hub reads it: language, tags, data sets, metrics and the results on test rows (`model-index`).

    No licence: what is known are those of the corpus and the checkpoint, and the labelled rows may have others.
    """
    subject, task = told.subject, told.subject.task
    name = subject.name
    kind = {"type": _type(task), "name": task.kind.replace("_", " ")}
    results = [
        {
            "type": METRICS.get(metric.name, metric.name),
            "name": metric.title,
            "value": round(float(told.scores[metric.name]), 6),
        }
        for metric in task.metrics
    ]
    data = {"name": name, "type": name, "split": "test"}
    return {
        "language": subject.language,
        "library_name": "onnx",
        "pipeline_tag": kind["type"],
        "tags": [task.kind, told.made["architecture"], "onnx", *_steps(told.made)],
        "datasets": [name],
        "metrics": list(dict.fromkeys(one["type"] for one in results)),
        "model-index": [
            {
                "name": name,
                "results": [{"task": kind, "dataset": data, "metrics": results}],
            }
        ],
    }


def _steps(made: Mapping[str, Any]) -> list[str]:
    """What made the candidate small."""
    distilled = ["distillation"] if made.get("distillation") else []
    return distilled if made.get("candidate") == "fp32" else [*distilled, "quantization"]


def _type(task: Task) -> str:
    return task.kind if task.kind in OWN_TYPES else TYPES[task.head]


def _results(told: Told) -> str:
    """Markdown: the sentences of the page."""
    subject, scores = told.subject, told.scores
    rows = [
        f"| {metric.title} | {scores[metric.name]:.4f} | "
        f"{scores[f'{metric.name}_low']:.4f} to {scores[f'{metric.name}_high']:.4f} |"
        for metric in subject.task.metrics
    ]
    lines = [
        f"## On {told.evaluated['test_rows']:,} test rows",
        "",
        f"{in_words(told)} {over_baseline(told)}",
        "",
        "| metric | candidate | interval |",
        "|---|---|---|",
        *rows,
        "",
    ]
    if short := headlines(told):
        lines += ["## What to know before it is used", "", *(f"- {_escaped(one)}" for one in short), ""]
    if told.confusions:
        pairs = [
            f"- {_escaped(one.expected)} taken for {_escaped(one.answer)}: {one.rows:,}, as in "
            f"“{_escaped(cut(one.examples[0].text, 120))}”"
            for one in told.confusions
        ]
        lines += ["## What it confuses", "", *pairs, ""]
    errors = "every error" if len(told.mistakes) <= SHOWN_ERRORS else f"the worst {SHOWN_ERRORS} errors"
    return "\n".join([*lines, f"Pictures, slices and {errors}: `index.html` beside this card.", ""])


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    # A number at the beginning begins a list only with what is behind it.
    return MARKUP.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", text)
