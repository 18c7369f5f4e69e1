"""What a few minutes of each pretraining objective teach on the sample corpus.

python -m benchmarks.objectives [--only nsp rtd permutation_lm] [--steps 600] [--task topic] [--seeds 1 2 3]

Reads artifacts/tokens and artifacts/tokenizer, so `dvc repro tokenize` comes first. Each objective trains the default
recipe's shape for as many steps; its validation loss stands beside the unigram level, the nats a token that counting
the training tokens gives on the validation tokens. With --task a classifier is fine-tuned from it, and from random
weights, by each seed. Figures go to benchmarks/results/objectives.json.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from components.artifacts import write_json
from components.machine import machine, versions
from components.modeling.config import ModelConfig, ObjectiveConfig
from components.params import Params, load_params
from components.run import RecordedRun
from components.tokenization.reader import PackedTokens
from components.training.config import PretrainConfig
from components.training.finetune import finetune
from components.training.pretrain import pretrain
from components.training.store import CheckpointStore

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "objectives.json"
ARTIFACTS = ROOT / "artifacts"
MASKED = {"mask_probability": 0.15}
LEARNERS: dict[str, tuple[str, dict[str, Any]]] = {
    "nsp": ("bert", MASKED),
    "rtd": ("electra", {**MASKED, "generator_depth": 1.0, "detection_weight": 50.0}),
    "permutation_lm": ("xlnet", {"predicted_share": 1 / 6, "max_span_length": 5}),
    "sop": ("bert", MASKED),
    "mlm": ("bert", {**MASKED, "masking": "dynamic", "whole_word": False}),
}
"""Objective -> the architecture that learns by it, and its parameters."""
SPECIAL_TOKENS = 4


def main() -> None:
    """Train, fine-tune, write the figures."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--only", nargs="+", choices=list(LEARNERS), default=["nsp", "rtd", "permutation_lm"])
    options.add_argument("--steps", type=int, default=600)
    options.add_argument("--task")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    chosen = options.parse_args()
    params = load_params(ROOT / "params.yaml")
    figures: dict[str, Any] = {"unigram": round(unigram(), 4)}
    for name in chosen.only:
        with tempfile.TemporaryDirectory() as folder:
            figures[name] = pretrained(Path(folder), params, name, chosen.steps)
            if chosen.task:
                figures[name][chosen.task] = finetuned(Path(folder), params, chosen.task, chosen.seeds)
        print(name, figures[name], f"unigram {figures['unigram']}", flush=True)
        write_json(RESULTS, {"figures": figures, "machine": machine(), "versions": versions(("torch", "transformers"))})


def pretrained(folder: Path, params: Params, name: str, steps: int) -> dict[str, Any]:
    """Train from random weights into folder/pretrained; the stage's metrics and its seconds."""
    architecture, own = LEARNERS[name]
    objective = ObjectiveConfig.model_validate({"name": name, **own})
    config = PretrainConfig.model_validate({**params.pretrain.model_dump(), "objective": objective, "steps": steps})
    model = ModelConfig.model_validate({**params.model.model_dump(), "architecture": architecture})
    paths = ARTIFACTS / "tokens", ARTIFACTS / "tokenizer", folder / "pretrained"
    began = time.monotonic()
    store = CheckpointStore(folder / "store")
    metrics = pretrain(config, model, params.trainer, params.seed, *paths, store, RecordedRun())
    return {**metrics, "seconds": round(time.monotonic() - began, 1)}


def finetuned(folder: Path, params: Params, task: str, seeds: list[int]) -> dict[str, Any]:
    """First metrics of classifiers from the pretrained model and from random weights, a seed each."""
    config = params.finetune.model_copy(update={"seeds": seeds, "without_pretraining": True})
    given = ARTIFACTS / "tasks" / task, folder / "pretrained", folder / "teacher", folder / "scratch"
    store = CheckpointStore(folder / "fine")
    return finetune(config, params.tasks[task], task, params.trainer, params.seed, *given, store, RecordedRun())


def unigram() -> float:
    """Nats a validation token by the counts of the training tokens, each counted once more, special tokens left out."""
    training, validation = (PackedTokens(ARTIFACTS / "tokens", split) for split in ("train", "validation"))
    counts = np.ones(training.vocab_size)
    counts += np.bincount(training.gather(np.array([0]), len(training))[0], minlength=len(counts))
    counts[:SPECIAL_TOKENS] = 0
    held_out = validation.gather(np.array([0]), len(validation))[0]
    nats = -np.log(np.maximum(counts, 1e-300) / counts.sum())
    return float(nats[held_out[held_out >= SPECIAL_TOKENS]].mean())


if __name__ == "__main__":
    main()
