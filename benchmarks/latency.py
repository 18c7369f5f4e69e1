"""How long one answer takes: every rung of a task's ladder beside the fp32 teacher in PyTorch, rows in turn.

python -m benchmarks.latency            needs artifacts/ of a finished run
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.report import Figure, report
from components.artifacts import read_manifest
from components.deployment.rows import read_rows
from components.deployment.timing import latencies
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.tf_idf import TfIdf
from components.evaluation.rungs import bundle_rung, torch_rung
from components.params import load_params
from components.tasks.kinds import task_of

ROOT = Path(__file__).parent.parent
BATCHES = (1, 8)
REPEATS = 200


def main() -> int:
    """Measure every task of params.yaml and write benchmarks/results/latency.json."""
    import torch

    torch.set_num_threads(1)
    figures: dict[str, Figure] = {}
    for task in load_params(ROOT / "params.yaml").tasks:
        found = measure_task(ROOT / "artifacts", task)
        for rung, batches in found.items():
            for batch in BATCHES:
                for share in ("p50", "p95"):
                    teacher = found["teacher"][f"batch_{batch}"][share]
                    figures[f"{task}/{rung}/batch_{batch}/{share}"] = Figure(
                        batches[f"batch_{batch}"][share], teacher, "ms"
                    )
    note = "Milliseconds a call, tokenizer included, one thread; peer: the teacher in PyTorch, fp32"
    report("latency", figures, ("torch", "onnxruntime", "tokenizers", "scikit-learn"), note)
    return 0


def measure_task(artifacts: Path, task: str) -> dict[str, dict[str, dict[str, float]]]:
    """Rung -> batch -> p50, p95 in milliseconds."""
    folder = artifacts / task
    made = read_manifest(folder / "bundle", "bundle")
    train, validation, test = (
        read_rows(artifacts / "tasks" / task, split, made["labels"]) for split in ("train", "validation", "test")
    )
    answering = task_of(made)
    language = load_params(ROOT / "params.yaml").tasks[task].language
    contenders = {
        "baseline": TfIdf.tuned(TuningData(answering, train, validation, language)).predict,
        "teacher": torch_rung(answering, folder / "teacher", made["max_length"]),
        "student": torch_rung(answering, folder / "student", made["max_length"]),
        "onnx": bundle_rung(answering, folder / "bundle", "fp32"),
        **{name: bundle_rung(answering, folder / "bundle", name) for name in made["ladder"] if name != "fp32"},
    }
    return latencies(contenders, test.texts, BATCHES, REPEATS)


if __name__ == "__main__":
    sys.exit(main())
