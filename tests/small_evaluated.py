"""A project with the recorded result of one evaluated task, as DVC leaves it: nothing ran."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

METRICS: dict[str, Any] = {
    "teacher": {"macro_f1": 0.875, "macro_f1_low": 0.8, "macro_f1_high": 0.9},
    "onnx": {"macro_f1": 0.75},
    "int8": {"macro_f1": 0.8125, "per_class": {"Arts": {"f1": 0.5}}},
    "baseline": {"macro_f1": 0.5},
    "candidate": {"macro_f1": 0.8125},
    "size_megabytes": {"teacher": 4.0, "onnx": 2.0, "int8": 1.0, "baseline": 0.5, "candidate": 1.0},
    "test_rows": 2,
}
STAGES: dict[str, dict[str, Any]] = {
    "finetune@topic": {
        "params": {"params.yaml": {"finetune": {"learning_rate": 0.5}}},
        "outs": [{"path": "artifacts/topic/teacher", "md5": "aa.dir"}],
    },
    "build@topic": {
        "deps": [{"path": "artifacts/topic/teacher", "md5": "aa.dir"}],
        "outs": [{"path": "artifacts/topic/bundle", "md5": "bb.dir"}],
    },
    "evaluate@topic": {
        "deps": [
            {"path": "artifacts/topic/teacher", "md5": "aa.dir"},
            {"path": "artifacts/topic/bundle", "md5": "bb.dir"},
        ],
        "outs": [],
    },
}


def write_evaluated(folder: Path) -> Path:
    """Lay it out in `folder`: dvc.lock, metrics, the test rows, the bundle's manifest, and a release's timings."""
    from ruamel.yaml import YAML

    lock = json.loads(json.dumps(STAGES))
    files = {
        "metrics/finetune/topic.json": json.dumps({"macro_f1": 0.875}),
        "metrics/build/topic.json": json.dumps({"rungs": 2}),
        "metrics/evaluate/topic.json": json.dumps(METRICS),
        "metrics/evaluate/topic_confusion.csv": "actual,predicted\nArts,Arts\nArts,History\n",
    }
    for name, text in files.items():
        _write(folder / name, text)
        stage = name.split("/")[1]
        out = {"path": name, "md5": hashlib.md5(text.encode()).hexdigest()}
        lock[f"{stage}@topic"]["outs"].append(out)
    with (folder / "dvc.lock").open("w") as stream:
        YAML().dump({"stages": lock}, stream)
    _write(folder / "params.yaml", "tasks: {topic: {kind: classification, language: en, max_length: 16}}\n")
    rows = [{"id": f"test/line-{number}", "text": "of no concern", "label": "Arts"} for number in (1, 2)]
    _write(folder / "artifacts/tasks/topic/test.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    _write(
        folder / "artifacts/tasks/topic/manifest.json", json.dumps({"kind": "task", "files": {"test.jsonl": "0" * 64}})
    )
    _write(folder / "artifacts/topic/bundle/manifest.json", json.dumps({"kind": "bundle"}))
    return folder


def write_timings(folder: Path, bundle: str) -> None:
    """The page of a release's timings of the bundle with this digest."""
    systems = {
        "teacher": {"batch_1": {"p50": 2.0}},
        "fp32": {"batch_1": {"p50": 1.0}},
        "int8": {"batch_1": {"p50": 0.5}},
    }
    told = {"bundle": bundle, "released": True, "systems": systems}
    _write(folder / "reports/speed/topic/speed.json", json.dumps(told))
    _write(folder / "reports/speed/topic/index.html", "<p>0.5 ms</p>")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
