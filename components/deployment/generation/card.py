"""The model card of a language model's bundle."""

from __future__ import annotations

from typing import Any


def model_card(details: dict[str, Any]) -> str:
    """Markdown, with the metadata header that model hubs read."""
    return "\n".join([*_header(details), *_rungs(details), *_use(details), *_limits(details)])


def _header(details: dict[str, Any]) -> list[str]:
    embedding = details["form"] == "embedding"
    kind = "feature-extraction" if embedding else "text2text-generation" if _has_encoder(details) else "text-generation"
    return [
        "---",
        f"pipeline_tag: {kind}",
        "library_name: onnx",
        "---",
        "",
        f"# {details['name']}",
        "",
        f"A {details['architecture']} of {details['parameters']:,} parameters as ONNX graphs of opset "
        f"{details['opset']}, for at most {details['max_length']:,} tokens.",
        "",
        f"Candidate: **{details['candidate']}**, because it is {details['candidate_because']}."
        if details["candidate"] != "fp32"
        else f"Candidate: **fp32**: {details['candidate_because']}.",
        "",
        "The licence of the weights and of what they were trained on binds whoever passes this on; `manifest.json` "
        "holds the hash of the folder it was made from.",
        "",
    ]


def _rungs(details: dict[str, Any]) -> list[str]:
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


def _use(details: dict[str, Any]) -> list[str]:
    call = (
        'vectors = lianzi.load_embedder("path/to/this/folder").embed(["some text"])'
        if details["form"] == "embedding"
        else "by = lianzi.Sampling(max_tokens=64, temperature=0.0, top_p=1.0, seed=None, stop=())\n"
        'print(lianzi.load_generator("path/to/this/folder").complete(["Some text"], by)[0])'
    )
    return ["## How to use it", "", "```python", "import lianzi", "", call, "```", ""]


def _limits(details: dict[str, Any]) -> list[str]:
    lines = [
        "## Limits",
        "",
        f"- {details['max_length']:,} tokens"
        + (", longer texts are cut." if details["form"] == "embedding" else " of prompt and answer together."),
    ]
    if details.get("prompt"):
        lines += [f"- {details['prompt']!r} is put in front of every text."]
    if details.get("prompts"):
        named = ", ".join(f"{name} {text!r}" for name, text in sorted(details["prompts"].items()))
        lines += [f"- Prompts to ask for by name: {named}."]
    if details.get("rules"):
        lines += [f"- Its own generation config: {', '.join(sorted(set(details['rules']) - {'end_ids'}))}."]
    if details["form"] == "generation":
        lines += ["- It says what is likely, not what is true."]
    return [
        *lines,
        "- int8 scales activations by the batch they stand in: answers may move with a row's neighbours.",
        "",
    ]


def _has_encoder(details: dict[str, Any]) -> bool:
    return "encoder" in next(iter(details["rungs"].values()))
