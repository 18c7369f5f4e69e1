"""NVIDIA Model Optimizer: the precision of an ONNX file, for engines that are strongly typed.

AutoCast turns a float32 graph into fp16 or bf16, layer by layer where the values fit; quantization puts Q/DQ nodes
for int8 or fp8 around what gains by it, with scales from calibration inputs. It runs as a process in an environment
of its own (infra/locks/model-optimizer.lock). ONNX Runtime's CPU runs what comes out as fp16 and int8; bf16 and fp8
are for GPUs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from components.errors import EngineError
from components.inference.sessions import Arrays
from components.isolated_envs import environment_python

PINS = Path(__file__).parents[2] / "infra" / "locks" / "model-optimizer.lock"
RUNS_ON_CPU = ("fp16", "int8")
"""Precisions whose graphs ONNX Runtime's CPU can run."""


def autocast(onnx: Path, out: Path, precision: Literal["fp16", "bf16"], calibration: Sequence[Arrays]) -> None:
    """Write the graph in a lower float precision; inputs and outputs keep theirs. Raises EngineError, ServiceError.

    A layer whose values, on the calibration inputs, leave the precision's range stays in float32.
    """
    _optimize(
        "autocast",
        onnx,
        out,
        ["--low_precision_type", precision, "--keep_io_types", "--providers", "cpu"],
        "--calibration_data",
        calibration,
    )


def quantize(onnx: Path, out: Path, precision: Literal["int8", "fp8"], calibration: Sequence[Arrays]) -> None:
    """Write the graph with Q/DQ nodes; what is not quantized stays in float32, for fp8 in fp16 (as its kernels want).

    Raises EngineError, ServiceError.
    """
    others = {"int8": "fp32", "fp8": "fp16"}[precision]
    words = ["--quantize_mode", precision, "--high_precision_dtype", others, "--calibration_method", "max"]
    _optimize("quantization", onnx, out, [*words, "--calibration_eps", "cpu"], "--calibration_data_path", calibration)


def optimizer_python() -> Path:
    """The interpreter of its environment, made on first use: about ten seconds. Raises ServiceError."""
    cache = Path(os.environ.get("LIANZI_CACHE", ".cache"))
    return environment_python((cache / "environments" / "model-optimizer").absolute(), PINS, sharing=True)


def _optimize(module: str, onnx: Path, out: Path, words: list[str], option: str, calibration: Sequence[Arrays]) -> None:
    python = optimizer_python()
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder, "calibration.npz")
        np.savez(inputs, **_stacked(calibration))
        given, made = Path(folder, "given.onnx"), Path(folder, "model.onnx")
        shutil.copyfile(onnx, given)  # it writes shapes into the file that it reads
        files = ["--onnx_path", str(given), "--output_path", str(made), option, str(inputs)]
        done = subprocess.run(
            [str(python), "-m", f"modelopt.onnx.{module}", *files, *words],
            cwd=folder,  # it leaves files where it runs
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not made.is_file():
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise EngineError(f"{onnx}: Model Optimizer's {module} failed: {lines[-1]}")
        _write_canonical(made, out)


def _stacked(calibration: Sequence[Arrays]) -> dict[str, Any]:
    """All rows in one array an input, as it reads them."""
    if not calibration:
        raise EngineError("Model Optimizer was given no calibration inputs", "give it real rows of the training split")
    shapes = {name: {value.shape[1:] for value in (feeds[name] for feeds in calibration)} for name in calibration[0]}
    uneven = [name for name, found in shapes.items() if len(found) > 1]
    if uneven:
        raise EngineError(f"calibration inputs differ in length: {', '.join(uneven)}", "pad them to one length")
    return {name: np.concatenate([feeds[name] for feeds in calibration]) for name in calibration[0]}


def _write_canonical(made: Path, out: Path) -> None:
    """Without the traces of where and how it was made, so that equal input gives equal bytes."""
    import onnx

    graph = onnx.load(str(made))
    del graph.graph.value_info[:]
    for holder in (graph, graph.graph, *graph.graph.node):
        holder.ClearField("metadata_props")
        holder.ClearField("doc_string")
    out.write_bytes(graph.SerializeToString(deterministic=True))
