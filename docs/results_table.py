"""The READMEs' tables of results, from the committed measurements: what pretraining is worth first, then every rung.

python docs/results_table.py            write it into README.md and README.zh.md
python docs/results_table.py --check    exit 1 when one of them holds another
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh.md")
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
COMPARED = ("counting_words", "without_pretraining", "shipped")
RUNGS = {
    "baseline": "TF-IDF + logistic regression",
    "without_pretraining": "same model, no pretraining",
    "teacher": "teacher (PyTorch, fp32)",
    "student": "student (PyTorch, fp32)",
    "onnx": "student (ONNX, fp32)",
    "int8": "int8, dynamic (ONNX)",
    "int8_static": "int8, static (ONNX)",
    "int4_embeddings": "int8, embeddings int4 (ONNX)",
}


def main(words: list[str]) -> int:
    """Write or check the READMEs."""
    stale = []
    for path in (ROOT / name for name in READMES):
        text = path.read_text(encoding="utf-8")
        wanted = replaced(text, table(ROOT))
        if text != wanted:
            stale.append(path.name)
        if "--check" not in words:
            path.write_text(wanted, encoding="utf-8")
    if "--check" in words and stale:
        print(f"error: {', '.join(stale)}: the table of results is stale\nrun `make readme`", file=sys.stderr)
        return 1
    return 0


def table(root: Path) -> str:
    """All tables, in Markdown."""
    return "\n\n".join(part for part in (labels_table(root), rungs_tables(root)) if part)


def labels_table(root: Path) -> str:
    """A row a task and share of its labels: counting words, without pretraining, shipped; empty where not measured."""
    path = root / "benchmarks/results/labels.json"
    if not path.is_file():
        return ""
    found = json.loads(path.read_text(encoding="utf-8"))["labels"]
    seeds = len(next(iter(found.values()))["seeds"])
    lines = [
        f"| macro-F1 on test rows, mean ± sd of {seeds} seeds | labelled rows | counting words (tuned) "
        "| without pretraining | with pretraining (shipped) | shipped over counting words (95 % interval) |",
        "|---|---|---|---|---|---|",
    ]
    for label, row in found.items():
        counted, without, shipped = (_spread(row["systems"][name]["macro_f1"]) for name in COMPARED)
        gain = row["shipped_over"]["counting_words"]["macro_f1"]
        interval = f"{gain['value']:+.3f} ({gain['low']:+.3f} to {gain['high']:+.3f})"
        lines.append(
            f"| **{row['task']}**, {label.partition(', ')[2]} | {row['labelled_rows']:,} | {counted} | {without} "
            f"| {shipped} | {interval} |"
        )
    return "\n".join(lines)


def _spread(score: dict[str, float]) -> str:
    return f"{score['mean']:.3f} ± {score['sd']:.3f}"


def rungs_tables(root: Path) -> str:
    """A table a task: macro-F1 with its interval, accuracy, size, latency."""
    latency = json.loads((root / "benchmarks/results/latency.json").read_text(encoding="utf-8"))["figures"]
    parts = []
    for path in sorted((root / "metrics/evaluate").glob("*.json")):
        metrics = json.loads(path.read_text(encoding="utf-8"))
        lines = [
            f"**{path.stem}**, {metrics['test_rows']:,} test rows",
            "",
            "| | macro-F1 (95 % interval) | accuracy | MB | ms, batch 1 (p50 / p95) | ms, batch 8 (p50 / p95) |",
            "|---|---|---|---|---|---|",
        ]
        lines += [_row(rung, metrics, latency, path.stem) for rung in RUNGS if rung in metrics]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def replaced(text: str, table_text: str) -> str:
    """README text with what stands between the marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table_text}\n{END}{after}"


def _row(rung: str, metrics: dict[str, Any], latency: dict[str, Any], task: str) -> str:
    score = metrics[rung]
    interval = f"{score['macro_f1']:.3f} ({score['macro_f1_low']:.3f}–{score['macro_f1_high']:.3f})"
    size = metrics["size_megabytes"][rung]
    megabytes = f"{size:.1f}" if size >= 1 else f"{size:.2f}"
    # The model without pretraining is the teacher's shape: its latency is the teacher's.
    timed = "teacher" if rung == "without_pretraining" else rung
    times = [
        " / ".join(f"{latency[f'{task}/{timed}/{batch}/{share}']['ours']:.2f}" for share in ("p50", "p95"))
        for batch in ("batch_1", "batch_8")
    ]
    return f"| {RUNGS[rung]} | {interval} | {score['accuracy']:.3f} | {megabytes} | {times[0]} | {times[1]} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
