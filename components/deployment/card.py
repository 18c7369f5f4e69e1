"""The model card of a bundle (Mitchell et al. 2019): what it is, from what, how good as far as known, its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.tasks.kinds import task_of
from components.tasks.metrics import Metric

if TYPE_CHECKING:
    from components.tasks.config import TaskConfig

LANGUAGES = {"en": "English", "zh": "Chinese"}


def model_card(details: dict[str, Any], task: TaskConfig) -> str:
    """Markdown, with the metadata header that model hubs read."""
    return "\n".join([*_header(task), *_summary(details, task), *_numbers(details), *_engines(details), *_use(details)])


def _header(task: TaskConfig) -> list[str]:
    return ["---", f"language: {task.language}", "pipeline_tag: text-classification", "library_name: onnx", "---", ""]


def _summary(details: dict[str, Any], task: TaskConfig) -> list[str]:
    labels = ", ".join(f"`{label}`" for label in details["labels"])
    answers = f"one of {len(details['labels'])} labels: {labels}"
    what, kind = ("regression", "regressor") if _gives_numbers(details) else ("classification", "classifier")
    return [
        f"# {details['task']}: text {what}, {LANGUAGES[task.language]}",
        "",
        f"A {details['architecture']} {kind} of {details['parameters']:,} parameters: pretrained, fine-tuned "
        f"on the task `{details['task']}`, distilled, exported to ONNX and quantized. "
        f"It answers with {'a number' if _gives_numbers(details) else answers}.",
        "",
        *([f"Distillation: {details['distillation']}.", ""] if details.get("distillation") else []),
        f"Candidate for release: **{details['candidate']}**: {details['candidate_because']}. Which rung ships is "
        "decided at release, by how fast each is there: `speed.json` beside this card names it.",
        "",
        "## Data and licences",
        "",
        f"Trained on `data/corpus` (no labels) and `data/tasks/{details['task']}` of the project that made this "
        "bundle. `NOTICE` names the sources, their licences, which bind whoever passes it on, and those of the "
        "libraries it needs; `lineage.json` holds the hashes of everything it was made from, up to the data.",
        "",
    ]


def _gives_numbers(details: dict[str, Any]) -> bool:
    return task_of(details).output.kind == "real"


def _numbers(details: dict[str, Any]) -> list[str]:
    parity, rungs = details["parity"], details["quantization"]
    top, metric = rungs["fp32"], task_of(details).metrics[0]
    return [
        "## What is known of its quality",
        "",
        "On validation rows, which also decided when training stopped; figures on test rows, with intervals and beside "
        "baselines, are in the project's `metrics/evaluate`.",
        "",
        f"| rung | MB | {metric.title} | change, with interval | same answer | verdict |",
        "|---|---|---|---|---|---|",
        f"| fp32 | {top['megabytes']:.2f} | {top[metric.name]:.4f} | | | |",
        *(_rung(name, rung, metric) for name, rung in rungs.items() if name != "fp32"),
        "",
        f"fp32 against PyTorch: largest difference of a logit {parity['max_difference']:.1e}, "
        f"same answer {parity['agreement']:.2%}. The rungs below are compared with fp32.",
        "",
        "Which rung is fastest depends on the machine: where `speed.json` lies beside this card, it holds what was "
        "measured before the release, and names the rung that is shipped.",
        "",
    ]


def _rung(name: str, rung: dict[str, Any], metric: Metric) -> str:
    kept = rung.get("float_layers")
    verdict = ("accepted" if rung["accepted"] else f"refused: it {rung['reason']}") + (
        f"; in float: {', '.join(kept)}" if kept else ""
    )
    if "change" not in rung:
        return f"| {name} | | | | | {verdict} |"
    change = rung["change"]
    return (
        f"| {name} | {rung['megabytes']:.2f} | {rung[metric.name]:.4f} | {change['value']:+.4f} "
        f"({change['low']:+.4f} … {change['high']:+.4f}) | {rung['agreement']:.2%} | {verdict} |"
    )


def _engines(details: dict[str, Any]) -> list[str]:
    rows = [
        f"| {name} | {engine['status']} | {engine['rung']} | {engine.get('reason', '')} |"
        for name, engine in details["engines"].items()
    ]
    return ["## Engines", "", "| engine | status | from | note |", "|---|---|---|---|", *rows, ""]


def _use(details: dict[str, Any]) -> list[str]:
    numbers = _gives_numbers(details)
    picks = "It always picks one of its labels, also for a text that fits none; its probabilities are not calibrated."
    answer = "number" if numbers else "label"
    scale = f"deviations of {details['deviation']:.6g} from {details['mean']:.6g}" if numbers else ""
    return [
        "## How to use it",
        "",
        "```python",
        "import lianzi",
        "",
        f'print(lianzi.load_bundle("path/to/this/folder").predict(["some text"])[0].{answer})',
        "```",
        "",
        "Without that package: `tokenizer.json` (Hugging Face tokenizers) gives the ids; the graphs take `input_ids` "
        f"and `attention_mask` (int64, batch x length, padded with {details['pad_id']}) and return `logits` "
        f"{f'as {scale}' if numbers else 'in the order of `labels` in `manifest.json`'}.",
        "",
        "## Limits",
        "",
        f"- It reads the first {details['max_length']} tokens of a text and nothing after them.",
        f"- {'It gives a number also for a text that has none.' if numbers else picks}",
        "- It knows the language and the kind of text of its training rows; elsewhere expect worse.",
        "- The rung `int8` scales activations by the batch they stand in: a score may move a little with a text's "
        "neighbours. The rungs below it have fixed ranges.",
        "- An engine runs on the GPU architecture and library version it was built for; one called "
        '"built, not run" has answered nothing yet.',
        "",
    ]
