"""What a few minutes of each pretraining objective teach on the sample corpus.

python -m benchmarks.objectives [--only nsp rtd] [--task topic] [--seeds 1 2 3]

Reads artifacts/tokens and artifacts/tokenizer, so `dvc repro tokenize` comes first. Each objective trains the default
recipe's shape for some minutes; its validation loss stands beside the unigram level, the nats a token that counting
the training tokens gives on the validation tokens. With --task a classifier is fine-tuned from each encoder, and from
random weights, by each seed. An encoder-decoder carries none: T5's learns to write the label of examples/intent (Raffel
et al. 2020, section 2.4), judged by chrF, BART's the line about a letter of examples/summarization, by ROUGE-L. The
first metric's gain on validation rows is paired by seed, with Student's 95 % interval. Figures go to
benchmarks/results/objectives.json; those of objectives that are not run again stay.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from components.artifacts import write_json
from components.corpus.labelled import curate_task
from components.corpus.removals import Removals
from components.machine import machine, versions
from components.modeling.config import ModelConfig, ObjectiveConfig
from components.params import Params, load_params
from components.run import RecordedRun
from components.tasks.config import TaskConfig
from components.tasks.kinds import KINDS
from components.tokenization.reader import PackedTokens
from components.training.config import FinetuneConfig, PretrainConfig
from components.training.finetune import finetune
from components.training.from_scratch import train_from_scratch
from components.training.pretrain import pretrain
from components.training.store import CheckpointStore

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "objectives.json"
ARTIFACTS = ROOT / "artifacts"
MASKED = {"mask_probability": 0.15}
OWN_TEXT = {"document_attention": False}
"""Encoder-decoders read a window as one text."""


class Written(NamedTuple):
    """Texts of an example that an encoder-decoder learns to write: the task's folder, its parameters, the column of the
    text, and what fine-tuning does otherwise."""

    folder: Path
    task: TaskConfig
    target: str
    recipe: dict[str, Any]


class Learner(NamedTuple):
    """The architecture that learns by an objective, the objective's parameters, how long and how fast it learns, and
    other parameters of pretraining."""

    architecture: str
    objective: dict[str, Any]
    steps: int
    learning_rate: float = 1e-3
    further: Mapping[str, Any] = MappingProxyType({})


LEARNERS = {
    "nsp": Learner("bert", MASKED, 2400),
    "sop": Learner("bert", MASKED, 2400),
    "mlm": Learner("bert", MASKED | {"masking": "dynamic", "whole_word": False}, 2400),
    "rtd": Learner("electra", MASKED | {"generator_depth": 1.0, "detection_weight": 50.0}, 400, 3e-3),
    "permutation_lm": Learner("xlnet", {"predicted_share": 1 / 6, "max_span_length": 5}, 1600),
    "span_corruption": Learner("t5", {"noise_density": 0.15, "mean_span_length": 3.0}, 900, 3e-3, OWN_TEXT),
    # It writes the whole text, and only after some two thousand steps does it copy what it reads.
    "text_infilling": Learner(
        "bart", {"noise_density": 0.3, "mean_span_length": 3.0}, 3000, 2e-3, OWN_TEXT | {"batch_size": 32}
    ),
}
EXAMPLES = ROOT / "examples"
WRITTEN = {
    "t5": Written(
        EXAMPLES / "intent" / "data" / "tasks" / "intent",
        TaskConfig.variant("translation")(kind="translation", language="en", max_length=48),
        "label",
        {"epochs": 12, "patience": 4},
    ),
    "bart": Written(
        EXAMPLES / "summarization" / "data" / "tasks" / "gists",
        TaskConfig.variant("summarization")(kind="summarization", language="en", max_length=80),
        "target",
        {"epochs": 4, "patience": 4, "learning_rate": 1e-3, "label_smoothing": 0.0, "token_masking": 0.0},
    ),
}
"""By architecture."""
SPECIAL_TOKENS = 4
STUDENT_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}
"""Seeds -> the two-sided 95 % quantile of Student's distribution with one degree of freedom fewer."""


def main() -> None:
    """Train, fine-tune, write the figures."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--only", nargs="+", choices=list(LEARNERS), default=list(LEARNERS))
    options.add_argument("--task")
    options.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    chosen = options.parse_args()
    if len(chosen.seeds) not in STUDENT_95:
        raise SystemExit("--seeds: two to five of them, an interval needs more than one")
    params = load_params(ROOT / "params.yaml")
    kept = json.loads(RESULTS.read_text())["objectives"] if RESULTS.exists() else {}
    figures: dict[str, Any] = {**kept, "unigram": round(unigram(), 4)}
    for name in chosen.only:
        with tempfile.TemporaryDirectory() as folder:
            figures[name] = pretrained(Path(folder), params, name)
            written = WRITTEN.get(LEARNERS[name].architecture)
            if chosen.task and written:
                config = params.finetune.model_copy(update=written.recipe)
                given = (config, written.task, written.folder.name, written_rows(Path(folder), written))
                figures[name][written.folder.name] = finetuned(Path(folder), params, *given, chosen.seeds)
            elif chosen.task:
                given = (params.finetune, params.tasks[chosen.task], chosen.task, ARTIFACTS / "tasks" / chosen.task)
                figures[name][chosen.task] = finetuned(Path(folder), params, *given, chosen.seeds)
        print(name, figures[name], f"unigram {figures['unigram']}", flush=True)
        write_json(
            RESULTS, {"objectives": figures, "machine": machine(), "versions": versions(("torch", "transformers"))}
        )


def pretrained(folder: Path, params: Params, name: str) -> dict[str, Any]:
    """Train from random weights into folder/pretrained; the stage's metrics and its seconds."""
    learner = LEARNERS[name]
    objective = ObjectiveConfig.model_validate({"name": name, **learner.objective})
    own = {"objective": objective, "steps": learner.steps, "learning_rate": learner.learning_rate, "threads": 1}
    config = PretrainConfig.model_validate(params.pretrain.model_dump() | own | dict(learner.further))
    model = ModelConfig.model_validate(params.model.model_dump() | {"architecture": learner.architecture})
    paths = ARTIFACTS / "tokens", ARTIFACTS / "tokenizer", folder / "pretrained"
    began, spent = time.monotonic(), time.process_time()
    store = CheckpointStore(folder / "store")
    metrics = pretrain(config, model, params.trainer, params.seed, *paths, store, RecordedRun())
    # On a machine that others use, the seconds of a single thread's CPU are what a machine of its own would take.
    seconds = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - spent}
    return {**metrics, **{name: round(value, 1) for name, value in seconds.items()}}


def written_rows(folder: Path, written: Written) -> Path:
    """The curated rows of the example with a text to write."""
    name = written.folder.name
    raw, made = folder / "data" / name, folder / "rows" / name
    raw.mkdir(parents=True)
    for split in ("train", "validation", "test"):
        with gzip.open(written.folder / f"{split}.jsonl.gz", "rt", encoding="utf-8") as stream:
            rows = [json.loads(line) for line in stream]
        lines = [json.dumps({"text": row["text"], "target": row[written.target]}, ensure_ascii=False) for row in rows]
        (raw / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    curate_task(written.task, raw, folder / "data", made, Removals())
    return made


def finetuned(
    folder: Path,
    params: Params,
    config: FinetuneConfig,
    task: TaskConfig,
    name: str,
    rows: Path,
    seeds: list[int],
) -> dict[str, Any]:
    """First metrics of models from the pretrained one and from random weights, a seed each, and the gain."""
    config = config.model_copy(update={"seeds": [], "without_pretraining": True, "threads": 1})
    scores: dict[str, list[float]] = {"teacher": [], "scratch": []}
    for seed in seeds:
        given = config, task, name, params.trainer, seed, rows, folder / "pretrained"
        for stage, (side, values) in zip((finetune, train_from_scratch), scores.items(), strict=True):
            place = f"{side}-{seed}"
            metrics = stage(*given, folder / place, CheckpointStore(folder / f"store-{place}"), RecordedRun())
            values.append(round(metrics[side][KINDS[task.kind].metric], 4))
    return {**scores, "gain": gain(scores["teacher"], scores["scratch"])}


def gain(better: list[float], worse: list[float]) -> dict[str, float]:
    """Mean of the paired differences and the ends of its 95 % interval."""
    differences = [one - other for one, other in zip(better, worse, strict=True)]
    half = STUDENT_95[len(differences)] * stdev(differences) / len(differences) ** 0.5
    return {name: round(mean(differences) + side * half, 4) for name, side in (("mean", 0), ("low", -1), ("high", 1))}


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
