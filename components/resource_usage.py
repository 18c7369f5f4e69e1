"""What a stage took on this machine, beside what `lianzi plan` had predicted for the same parameters.

Both are metrics of the stage's MLflow run and of nothing else: they depend on the machine.
"""

from __future__ import annotations

import hashlib
import json
import resource
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from components.run import Metrics
from components.sections import Section

PLAN = Path(".lianzi/plan.json")
"""{stage: {key: {metric: prediction}}}, the key being of the parameters that the prediction was made for."""

MEGABYTE = 1e6


def outcome(began: float, inputs: int, processes: int) -> Metrics:
    """Seconds since `began` (see `process_start`), peak memory, and the bytes read, in megabytes."""
    found = {
        "seconds": time.time() - began,
        "peak_memory_megabytes": processes * peak_memory() / MEGABYTE,
        "input_megabytes": inputs / MEGABYTE,
    }
    if on_gpu := peak_gpu_memory():
        found["peak_gpu_memory_megabytes"] = on_gpu / MEGABYTE
    return found


def prediction(stage: str, sections: Mapping[str, Section]) -> Metrics:
    """What was predicted for a stage under these parameters; empty where nothing was."""
    return dict(read_plan().get(stage, {}).get(prediction_key(sections), {}))


def prediction_key(sections: Mapping[str, Section]) -> str:
    """What a prediction is known by: the params sections of its stage, whatever they are called."""
    told = sorted(json.dumps(section.model_dump(), sort_keys=True) for section in sections.values())
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def read_plan() -> dict[str, dict[str, dict[str, float]]]:
    """The predictions noted so far; none where the file is missing or damaged."""
    try:
        content = json.loads(PLAN.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def process_start() -> float:
    """When this process began, imports and all, as `time.time()` tells it."""
    import psutil

    return float(psutil.Process().create_time())


def peak_memory() -> int:
    """The most bytes this process has had resident.

    VmHWM where there is one: ru_maxrss begins with what the parent had when it forked.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    told = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    if told is not None:
        return int(told) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def peak_gpu_memory() -> int:
    """The most bytes PyTorch has held on the GPU; 0 without one, or before PyTorch is imported."""
    torch = sys.modules.get("torch")
    return int(torch.cuda.max_memory_allocated()) if torch is not None and torch.cuda.is_available() else 0


def size_of(paths: Iterable[Path]) -> int:
    """Bytes of the files and folders that are there."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*"))]
    return sum(file.stat().st_size for file in files if file.is_file())
