"""Engines on one GPU: TensorRT, TensorRT for RTX, ONNX Runtime's CUDA provider, torch.compile, eager; calls in turn.

python -m benchmarks.gpu_inference           minutes; needs no data; exit code 1 without a GPU
python -m benchmarks.gpu_inference --cpu     what needs no GPU, tiny; records nothing

The first of them that this machine has is compared with all others; the result names those that it has not.

Classifiers of BERT-base's and GPT-2's shape with random weights. A call takes ids and mask from the host's memory and
gives logits back there, for everyone. All compute in float32 with TF32 products, which is TensorRT's default.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.deployment.timing import time_in_turn
from components.inference.sessions import Arrays, Infer

BUILT = ("tensorrt", "tensorrt-rtx", "onnxruntime-cuda")
"""Engines, the one that is expected to be the fastest first."""

OPSET, WARM_UP, VOCABULARY = 20, 10, 1000
MAX_DIFFERENCE = 0.02
"""Of a logit, from eager PyTorch in float32: TF32 keeps ten bits of a product's factors."""


@dataclass(frozen=True)
class Size:
    """Of both models and of what they are asked."""

    layers: int = 12
    width: int = 768
    batches: tuple[int, ...] = (1, 32)
    length: int = 128


TINY = Size(layers=1, width=64, batches=(1, 2), length=8)


def main() -> int:
    """Measure and write benchmarks/results/gpu_inference.json."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rounds", type=int, default=100)
    options.add_argument("--cpu", action="store_true", help="a tiny dry run of what needs no GPU")
    chosen = options.parse_args()
    import torch

    if chosen.cpu:
        dry_run()
        return 0
    if not torch.cuda.is_available():
        return _refuse("no CUDA GPU here")
    measure(Size(), chosen.rounds)
    return 0


def measure(size: Size, rounds: int) -> None:
    """Every model and batch; raises AssertionError where an engine does not compute the same."""
    import torch

    from benchmarks.report import Figure, report
    from components.inference.engines import ENGINES

    reasons = {name: ENGINES[name].available() for name in BUILT}
    engines = [name for name, reason in reasons.items() if reason is None]
    first = [*engines, "torch.compile"][0]

    torch.set_float32_matmul_precision("high")
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIANZI_CACHE"] = folder
        for shape, make in SHAPES.items():
            model = make(size)
            contenders = sessions(engines, export(model, Path(folder, f"{shape}.onnx")), size) | torch_ways(model)
            for batch in size.batches:
                feeds = rows(batch, size.length)
                check(contenders, feeds)
                spent = time_in_turn(contenders, lambda number, feeds=feeds: feeds, rounds, warm_up=WARM_UP)
                ours = float(np.median(spent.pop(first)))
                for peer, seconds in spent.items():
                    label = f"{shape}, batch {batch}, {size.length} tokens: p50, {first} and {peer}"
                    figures[label] = Figure(1e3 * ours, 1e3 * float(np.median(seconds)), "ms")
    missing = "; ".join(f"{name} is not here: {reason}" for name, reason in reasons.items() if reason)
    note = f"{torch.cuda.get_device_name()}, float32 with TF32, {rounds} calls in turn; {missing or 'all engines'}"
    report("gpu_inference", figures, ("torch", "transformers", "onnx"), note)


def dry_run() -> None:
    """Export, build without running, and compare the ways that a CPU has, at a tiny size."""
    from components.inference.engines import ENGINES, OnnxRuntime, Profile
    from components.inference.trial import build_and_try

    with tempfile.TemporaryDirectory() as folder:
        os.environ["LIANZI_CACHE"] = folder
        for shape, make in SHAPES.items():
            model = make(TINY)
            graph = export(model, Path(folder, f"{shape}.onnx"))
            ways = {"onnxruntime": OnnxRuntime().load(graph).run, "eager": eager(model, "cpu")}
            feeds = rows(TINY.batches[-1], TINY.length)
            check(ways, feeds)
            spent = time_in_turn(ways, lambda number, feeds=feeds: feeds, rounds=2)
            calls = ", ".join(f"{name} {len(seconds)}" for name, seconds in spent.items())
            print(f"{shape}: onnxruntime and eager agree; calls in turn: {calls}")
            if ENGINES["tensorrt-rtx"].available() is None:
                found = build_and_try(ENGINES["tensorrt-rtx"], graph, Profile(TINY.batches[-1], TINY.length))
                print(f"{shape}: tensorrt-rtx {found['status']}")


def bert(size: Size) -> Any:
    """A classifier of BERT-base's shape."""
    from transformers import BertConfig, BertForSequenceClassification

    heads = size.width // 64
    shape = {"hidden_size": size.width, "num_hidden_layers": size.layers, "intermediate_size": 4 * size.width}
    return _seeded(BertForSequenceClassification, BertConfig(num_attention_heads=heads, **shape))


def gpt2(size: Size) -> Any:
    """A classifier of GPT-2's shape, which reads the last real token."""
    from transformers import GPT2Config, GPT2ForSequenceClassification

    shape = {"n_layer": size.layers, "n_embd": size.width, "n_head": size.width // 64, "pad_token_id": 0}
    return _seeded(GPT2ForSequenceClassification, GPT2Config(**shape))


SHAPES: dict[str, Callable[[Size], Any]] = {"bert-base": bert, "gpt2": gpt2}


def _seeded(kind: Any, config: Any) -> Any:
    import torch

    torch.manual_seed(0)
    config.use_cache = False
    return kind(config).eval()


def export(model: Any, path: Path) -> Path:
    from components.deployment.export import export_graph

    path.write_bytes(export_graph(model, OPSET).SerializeToString(deterministic=True))
    return path


def sessions(engines: list[str], graph: Path, size: Size) -> dict[str, Infer]:
    """The engines, built and loaded."""
    from components.inference.engine_store import load_engine
    from components.inference.engines import ENGINES, Profile

    profile = Profile(max(size.batches), size.length)
    return {name: load_engine(ENGINES[name], graph, profile).run for name in engines}


def torch_ways(model: Any) -> dict[str, Infer]:
    import torch

    on_gpu = model.cuda()
    return {"eager": eager(on_gpu, "cuda"), "torch.compile": eager(torch.compile(on_gpu), "cuda")}


def eager(model: Any, device: str) -> Infer:
    """A PyTorch model as a function of numpy arrays."""
    import torch

    def infer(feeds: Arrays) -> Arrays:
        with torch.inference_mode():
            given = {name: torch.from_numpy(array).to(device) for name, array in feeds.items()}
            return {"logits": model(**given).logits.cpu().numpy()}

    return infer


def rows(batch: int, length: int) -> Arrays:
    """Random tokens, none of them padding."""
    ids = np.random.default_rng(batch).integers(1, VOCABULARY, (batch, length))
    return {"input_ids": ids, "attention_mask": np.ones_like(ids)}


def check(contenders: dict[str, Infer], feeds: Arrays) -> None:
    """Raises AssertionError where one is further from eager PyTorch than TF32 explains."""
    expected = contenders["eager"](feeds)["logits"]
    for name, infer in contenders.items():
        apart = float(np.abs(infer(feeds)["logits"] - expected).max())
        assert apart <= MAX_DIFFERENCE, f"{name} differs from eager by {apart:.3g} on {feeds['input_ids'].shape}"


def _refuse(reason: str) -> int:
    print(f"benchmarks.gpu_inference: {reason}; nothing was measured", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
