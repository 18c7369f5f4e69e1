"""The model card of a bundle (Mitchell et al. 2019): what it is, from what, how good as far as known, its limits.

One template: a part is on the card where the manifest has what it tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.runtime.manifest import CLASSIFICATION, EMBEDDING, GENERATION, form_of, model_name
from components.tasks.kinds import task_of
from components.tasks.metrics import Metric

LANGUAGES = {"en": "English", "zh": "Chinese"}
PIPELINES = {EMBEDDING: "feature-extraction", CLASSIFICATION: "text-classification"}


def model_card(details: Mapping[str, Any]) -> str:
    """Markdown, with the metadata header that model hubs read. `details`: of the bundle's manifest."""
    parts = [_header, _summary, _data, _quality, _parity, _engines, _use, _limits]
    return "\n".join(line for part in parts for line in part(details))


def _header(details: Mapping[str, Any]) -> list[str]:
    generating = "text2text-generation" if _has_encoder(details) else "text-generation"
    language = [f"language: {details['language']}"] if "language" in details else []
    pipeline = "token-classification" if _tags(details) else PIPELINES.get(form_of(details), generating)
    return ["---", *language, f"pipeline_tag: {pipeline}", "library_name: onnx", "---", ""]


def _summary(details: Mapping[str, Any]) -> list[str]:
    lines = [f"# {model_name(details)}{_subject(details)}", "", f"A {details['architecture']} {_what(details)}", ""]
    if details.get("distillation"):
        lines += [f"Distillation: {details['distillation']}.", ""]
    reason = f"Candidate for release: **{details['candidate']}**: {details['candidate_because']}."
    timed = (
        " Which rung ships is decided at release, by how fast each is there: `speed.json` beside this card names it."
    )
    return [*lines, f"{reason}{timed if _from_the_graph(details) else ''}", ""]


def _subject(details: Mapping[str, Any]) -> str:
    if not _from_the_graph(details):
        return ""
    kinds = [(form_of(details) == GENERATION, "text generation"), (_tags(details), "entities in text")]
    kinds += [(_is_number(details), "text regression"), (True, "text classification")]
    return f": {next(kind for holds, kind in kinds if holds)}, {LANGUAGES[details['language']]}"


def _what(details: Mapping[str, Any]) -> str:
    size = f"of {details['parameters']:,} parameters"
    answers = f" It answers with {_answers(details)}." if form_of(details) == CLASSIFICATION else ""
    if "logit_temperature" in details:
        answers += f" Its logits are divided by {details['logit_temperature']:g}, which suits the validation rows."
    if _from_the_graph(details):
        return (
            f"{size}: pretrained, fine-tuned on the task `{details['task']}`, distilled, exported to ONNX and "
            f"quantized.{answers}"
        )
    opset = f"as ONNX graphs of opset {details['opset']}"
    return f"{size} {opset}, for at most {details['max_length']:,} tokens.{answers}"


def _answers(details: Mapping[str, Any]) -> str:
    if task_of(details).output.per_choice:
        return "one of the choices that a text is given"
    if task_of(details).output.embeds:
        return f"the nearest of {len(details['passages']):,} answers, which `manifest.json` lists as `passages`"
    if _is_span(details):
        return "a span of a context" + (", or nothing" if details["unanswerable"] else "")
    labels = ", ".join(f"`{label}`" for label in details["labels"])
    if _tags(details):
        return f"the entities of a text, from one of {len(details['labels'])} tags a word: {labels}"
    count = "any of" if _is_set(details) else "one of"
    return "a number" if _is_number(details) else f"{count} {len(details['labels'])} labels: {labels}"


def _data(details: Mapping[str, Any]) -> list[str]:
    heading = ["## Data and licences", ""]
    if not _from_the_graph(details):
        return [
            *heading,
            "The licence of the weights and of what they were trained on binds whoever passes this on; `manifest.json` "
            "holds the hash of the folder it was made from.",
            "",
        ]
    return [
        *heading,
        f"Trained on `data/corpus` (no labels) and `data/tasks/{details['task']}` of the project that made this "
        "bundle. `NOTICE` names the sources, their licences, which bind whoever passes it on, and those of the "
        "libraries it needs; `lineage.json` holds the hashes of everything it was made from, up to the data.",
        "",
    ]


def _quality(details: Mapping[str, Any]) -> list[str]:
    """On labelled rows, as `quantize` found it."""
    if not _from_the_graph(details):
        return []
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


def _rung(name: str, rung: Mapping[str, Any], metric: Metric) -> str:
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


def _parity(details: Mapping[str, Any]) -> list[str]:
    """On texts without labels, as `lianzi bundle` found it."""
    if "proof" not in details:
        return []
    columns = sorted(next(iter(details["proof"].values())))
    lines = [
        f"| {rung} | {details['megabytes'][rung]:.2f} | "
        + " | ".join(str(proof[column]) for column in columns)
        + f" | {details['refused'].get(rung, 'accepted')} |"
        for rung, proof in sorted(details["proof"].items(), key=lambda pair: -details["megabytes"][pair[0]])
    ]
    return [
        "## Against the model as its own library runs it, on real texts",
        "",
        f"| rung | MB | {' | '.join(column.replace('_', ' ') for column in columns)} | |",
        "|---" * (len(columns) + 3) + "|",
        *lines,
        "",
    ]


def _engines(details: Mapping[str, Any]) -> list[str]:
    if not details.get("engines"):
        return []
    rows = [
        f"| {name} | {engine['status']} | {engine['rung']} | {engine.get('reason', '')} |"
        for name, engine in details["engines"].items()
    ]
    return ["## Engines", "", "| engine | status | from | note |", "|---|---|---|---|", *rows, ""]


def _use(details: Mapping[str, Any]) -> list[str]:
    calls = {
        EMBEDDING: ['vectors = lianzi.load_embedder("path/to/this/folder").embed(["some text"])'],
        GENERATION: [
            "by = lianzi.Sampling(max_tokens=64, temperature=0.0, top_p=1.0, seed=None, stop=())",
            'print(lianzi.load_generator("path/to/this/folder").complete(["Some text"], by)[0])',
        ],
        CLASSIFICATION: [f'print(lianzi.load_bundle("path/to/this/folder").predict([{_row(details)}])[0])'],
    }
    lines = ["## How to use it", "", "```python", "import lianzi", "", *calls[form_of(details)], "```", ""]
    return [*lines, *_by_hand(details)] if form_of(details) == CLASSIFICATION else lines


def _row(details: Mapping[str, Any]) -> str:
    """A row as its users write it."""
    if form_of(details) != CLASSIFICATION or len(names := task_of(details).texts) == 1:
        return '"some text"'
    shown = {name: '["one choice", "another"]' if name == "choices" else '"some text"' for name in names}
    return "{" + ", ".join(f'"{name}": {value}' for name, value in shown.items()) + "}"


def _by_hand(details: Mapping[str, Any]) -> list[str]:
    output, order = task_of(details).output.name, "in the order of `labels` in `manifest.json`"
    if task_of(details).output.embeds:
        order = (
            "(float32, batch x width, each of length 1). Its product with the rows of `index/RUNG.npy` of the same "
            "rung is the cosine with each of the `passages` of `manifest.json`"
        )
    if _tags(details):
        order = f"of each token {order}; a word has the tag of the token that it begins in"
    if _is_span(details):
        order = f"of each token {order}; the best span of the context is the answer"
    if _is_number(details):
        order = f"as deviations of {details['deviation']:.6g} from {details['mean']:.6g}"
    return [
        "Without that package: `tokenizer.json` (Hugging Face tokenizers) gives the ids; the graphs take `input_ids` "
        f"and `attention_mask` (int64, batch x length, padded with {details['pad_id']}) and return `{output}` {order}."
        + (
            " Both texts of a row, or a text and a choice, are encoded as a pair."
            if task_of(details).reads_pairs
            else ""
        )
        + (" `token_type_ids` say which of the two a token is of." if details.get("token_types") else ""),
        "",
    ]


def _limits(details: Mapping[str, Any]) -> list[str]:
    form = form_of(details)
    reads = f"It reads the first {details['max_length']} tokens of a text and nothing after them."
    if _is_span(details):
        reads = f"It reads a context in windows of {details['max_length']} tokens, the question among them."
    lines = [
        f"- {reads}" if form != GENERATION else f"- {details['max_length']:,} tokens of prompt and answer together."
    ]
    if details.get("prompt"):
        lines += [f"- {details['prompt']!r} is put in front of every text."]
    if details.get("prompts"):
        named = ", ".join(f"{name} {text!r}" for name, text in sorted(details["prompts"].items()))
        lines += [f"- Prompts to ask for by name: {named}."]
    if details.get("rules"):
        lines += [f"- Its own generation config: {', '.join(sorted(set(details['rules']) - {'end_ids'}))}."]
    if form == GENERATION:
        lines += ["- It says what is likely, not what is true."]
    if form == CLASSIFICATION:
        limit = "always picks one of its labels, also for a text that fits none; its probabilities are not calibrated."
        if _is_number(details):
            limit = "gives a number also for a text that has none."
        if _is_set(details):
            limit = (
                f"gives a label from a probability of {details['threshold']:g} on; probabilities are not calibrated."
            )
        if _tags(details):
            limit = "knows the types of entities of its training rows; its probabilities are not calibrated."
        if _is_span(details):
            limit = "answers with words of the context alone; its probabilities are not calibrated."
        lines += [f"- It {limit}"]
    return [
        "## Limits",
        "",
        *lines,
        "- It knows the language and the kind of text that it was trained on; elsewhere expect worse.",
        "- The rung `int8` scales activations by the batch they stand in: an answer may move a little with a text's "
        "neighbours. The rungs below it do not.",
        "- An engine runs on the GPU architecture and library version it was built for; one called "
        '"built, not run" has answered nothing yet.',
        "",
    ]


def _from_the_graph(details: Mapping[str, Any]) -> bool:
    """Whether the project's own stages made it, which know its data and its score."""
    return "quantization" in details


def _is_number(details: Mapping[str, Any]) -> bool:
    return form_of(details) == CLASSIFICATION and task_of(details).output.kind == "real"


def _is_set(details: Mapping[str, Any]) -> bool:
    return form_of(details) == CLASSIFICATION and task_of(details).output.kind == "binary"


def _tags(details: Mapping[str, Any]) -> bool:
    return form_of(details) == CLASSIFICATION and task_of(details).output.per_token and not _is_span(details)


def _is_span(details: Mapping[str, Any]) -> bool:
    return form_of(details) == CLASSIFICATION and task_of(details).output.over_tokens


def _has_encoder(details: Mapping[str, Any]) -> bool:
    return "encoder" in next(iter(details["rungs"].values()))
