"""The table of docs/performance.md, from the committed measurements: what was measured, and what is wanted.

python docs/performance_table.py            write it into docs/performance.md
python docs/performance_table.py --check    exit 1 when the page holds another
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = "docs/performance.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"

Figure = Mapping[str, Any]
"""ours, peer, ratio (peer / ours), the goal of the ratio, unit, and the lowest and highest ratio of a round."""


def main(words: list[str]) -> int:
    """Write or check the page."""
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    wanted = f"{before}{BEGIN}\n{table(ROOT / 'benchmarks/results')}\n{END}{rest.partition(END)[2]}"
    if "--check" not in words:
        (ROOT / PAGE).write_text(wanted, encoding="utf-8")
    elif text != wanted:
        print(f"error: {PAGE}: its table is stale\nrun `make readme`", file=sys.stderr)
        return 1
    return 0


def table(results: Path) -> str:
    """In Markdown: a row a goal; those whose figure was never measured are left out."""
    lines = ["| what | measured | wanted | reached |", "|---|---|---|---|"]
    for file, rows in ROWS.items():
        path = results / f"{file}.json"
        found = _figures(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
        for what, label, tell in rows:
            if label in found:
                measured, wanted = tell(found[label])
                reached = "yes" if found[label]["ratio"] >= found[label]["goal"] else "no"
                lines.append(f"| {what} | {measured} | {wanted} | {reached} |")
    return "\n".join(lines)


def times(figure: Figure) -> tuple[str, str]:
    """So many times as fast, or as small, as the peer."""
    rounds = " ({:.3g} to {:.3g})".format(*figure["rounds"]) if figure.get("rounds") else ""
    return f"{figure['ratio']:.3g}x{rounds}", f"{figure['goal']:.3g}x"


def limit(figure: Figure) -> tuple[str, str]:
    """So much, where the peer is what is allowed."""
    return f"{figure['ours']:.3g} {figure['unit']}", f"{figure['peer']:g} {figure['unit']}"


def at_most(figure: Figure) -> tuple[str, str]:
    """So many times the peer."""
    return f"{1 / figure['ratio']:.2f}x", f"at most {1 / figure['goal']:.2f}x"


def _figures(content: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures of a result, those of ladders, of fine-tuning and of plans in the same form."""
    found = dict(content.get("figures", {}))
    for name, plan in content.items():
        if isinstance(plan, dict) and "processor_seconds" in plan:
            seconds, allowed = (plan["processor_seconds"][part] for part in ("median", "goal"))
            found[name] = {"ours": seconds, "peer": allowed, "ratio": allowed / seconds, "goal": 1.0, "unit": "s"}
    for name, model in content.get("models", {}).items():
        for goal, reached in model["goals"].items():
            found[f"{name}: {goal}"] = {"ratio": reached["shipped"], "goal": reached["goal"]}
    for name, task in content.get("tasks", {}).items():
        seconds = task["seconds"]
        rounds = [1 / seconds["high"], 1 / seconds["low"]]
        found[name] = {"ratio": 1 / seconds["ratio"], "goal": 1 / content["goal"], "rounds": rounds}
    return found


Row = tuple[str, str, Callable[[Figure], tuple[str, str]]]
"""What it says, the figure, how that is told."""


def _serving(task: str) -> list[Row]:
    beside = f"`lianzi serve`, `{task}`"
    rows: list[Row] = [
        (f"{beside}, 8 clients: requests a second beside LitServe", f"{task}: a request at 8 clients, LitServe", times),
        (f"{beside}, 8 clients: pace beside the same in process", f"{task}: a request at 8 clients, in process", times),
    ]
    for clients in (2, 8, 32):
        label = f"{task}: 99th percentile beside the median, {clients} clients"
        rows.append((f"{beside}, {clients} clients: 99th percentile beside the median", label, at_most))
        label = f"{task}: 99th percentile at {clients} clients, LitServe"
        rows.append((f"{beside}, {clients} clients: LitServe's 99th percentile beside ours", label, times))
    return rows


ROWS: dict[str, list[Row]] = {
    "serving": [*_serving("form"), *_serving("topic")],
    "starts": [
        ("`lianzi predict`, one text", "predict: clock, median, of 1 s allowed", limit),
        ("`lianzi status`", "status: clock, median, of 1 s allowed", limit),
        ("`lianzi run`, nothing to do", "run, nothing to do: clock, median, of 1.2 s allowed", limit),
    ],
    "plan": [("`lianzi plan`, nothing known, processor time", "plan of the default project", limit)],
    "tokenization": [
        ("encode and pack beside `datasets.map`", "encode and pack: ours, datasets.map + group_texts", times),
        ("encode and pack beside tiktoken", "encode and pack: ours, tiktoken", times),
        ("training a tokenizer beside Hugging Face tokenizers, same merges", "train: ours, Hugging Face", times),
    ],
    "reader": [
        *(
            (f"windows of tokens, {shape}, beside `datasets`", f"{shape}: ours, datasets", times)
            for shape in ("16 x 64", "128 x 256")
        ),
        *(
            (f"windows of tokens, {shape}: first batch", f"{shape}, first batch: ours, the 10 ms allowed", limit)
            for shape in ("16 x 64", "128 x 256")
        ),
    ],
    "training": [
        ("a training step, GPT-2 of 13.8 M, bf16, beside a hand-written one", "gpt2: step, hand-written", times),
        ("the same beside the hand-written one compiled", "gpt2: step, hand-written, compiled", times),
        ("its pace beside the peak of matrix products", "gpt2: step, its arithmetic at the GEMM peak", times),
        ("trainer and tracking, a step", "tiny: trainer and tracking, median, the 0.2 ms allowed", limit),
    ],
    "finetuning": [
        (f"fine-tuning beside transformers' `Trainer`, {name.replace('_', ' ')}", name, times)
        for name in ("intent", "ner", "question_answering")
    ],
    "ladder": [
        *(
            (f"what ships of `{task}` beside the eager teacher, one row", f"{task}: times_faster_batch_1", times)
            for task in ("form", "topic")
        ),
        ("macro-F1 that is kept of it, `topic`", "topic: macro_f1_kept", times),
        ("decoding by what ships of a language model beside eager, one row", "causal_lm: times_faster_batch_1", times),
        ("its greedy tokens that are the same", "causal_lm: greedy_exact", times),
    ],
    "curation_memory": [
        (
            f"memory of `{stage}`, ten times the corpus",
            f"{stage}, 10 times the corpus (ours) and once (peer)",
            at_most,
        )
        for stage in ("curate", "tokenize")
    ],
    "validation": [
        ("validating a million rows beside pandas: time", "seconds to the verdicts: ours, pandas engine", times),
        ("the same: memory", "peak memory: ours, pandas engine", times),
    ],
    "curation": [
        (f"curation beside datatrove's blocks, {language}", f"{language}: judged and signed, a row", times)
        for language in ("en", "zh")
    ],
    "fresh_clone": [
        ("`make run`, fresh clone, set-up included", "make run, 300 s allowed", limit),
        ("`make test`, fresh clone, set-up included", "make test, 900 s allowed", limit),
    ],
}
"""File in benchmarks/results -> its rows."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
