"""What it costs that documents in one window do not see each other: our step with and without, in turn, one process.

python -m benchmarks.document_attention [--steps N] [--threads N]          needs artifacts/ of a finished run

Of real packed tokens, in bf16 where the processor has it. `ours` is with the documents kept apart.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.report import Figure, report
from benchmarks.turns import Contender, hand_over, take_turns
from components.modeling.architectures import build_language_model
from components.modeling.attention import ATTENTION
from components.modeling.checkpoints import load_tokenizer
from components.modeling.config import MlmConfig, ObjectiveConfig
from components.modeling.objectives.lookup import build_objective
from components.modeling.objectives.objective import WHOLE
from components.params import Params, load_params
from components.tokenization.reader import PackedTokens
from components.training.batches import window_batches
from components.training.optimizers import OPTIMIZERS
from components.training.trainer import lightning_precision, prepare_libraries

ROOT = Path(__file__).parent.parent
ARTIFACTS = ROOT / "artifacts"
WARM_UP = 3
GOAL = 0.95
MLM, CLM = (
    MlmConfig(name="mlm", mask_probability=0.15, masking="dynamic", whole_word=False),
    ObjectiveConfig(name="clm"),
)
SHAPES: dict[str, dict[str, Any]] = {
    "the default recipe": {},
    "modernbert, mlm": {"architecture": "modernbert", "objective": MLM, "batch_size": 64, "sequence_length": 128},
    "gpt2, clm": {"architecture": "gpt2", "objective": CLM, "batch_size": 16, "sequence_length": 256},
    "llama, clm": {"architecture": "llama", "objective": CLM, "batch_size": 16, "sequence_length": 256},
}


def main() -> int:
    """Measure and write benchmarks/results/document_attention.json."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--steps", type=int, default=40, help="timed steps of each of the two, a shape")
    options.add_argument("--threads", type=int, default=2)
    chosen = options.parse_args()
    prepare_libraries(chosen.threads)
    params = load_params(ROOT / "params.yaml")
    figures = {f"{name}: step": measure(params, changes, chosen.steps) for name, changes in SHAPES.items()}
    note = f"a step with the documents of a window kept apart (ours), and as one text (peer); {chosen.threads} threads"
    report("document_attention", figures, ("torch", "transformers"), note)
    return 0


def measure(params: Params, changes: dict[str, Any], steps: int) -> Figure:
    """Step times of both by the median ratio of those taken in the same round."""
    ours, peer = (contender(params, changes, apart, WARM_UP + steps) for apart in (True, False))
    take_turns([ours, peer], WARM_UP, steps)
    ratio = statistics.median(theirs / mine for mine, theirs in zip(ours.seconds, peer.seconds, strict=True))
    median = 1e3 * statistics.median(ours.seconds)
    return Figure(median, median * ratio, "ms", GOAL)


def contender(params: Params, changes: dict[str, Any], apart: bool, steps: int) -> Contender:
    """A bare loop around the project's model, objective and batches."""
    config = params.pretrain.model_copy(update={**changes, "document_attention": apart})
    shape = params.model.model_copy(update={key: changes[key] for key in changes if key == "architecture"})
    tokenizer = load_tokenizer(ARTIFACTS / "tokenizer")
    objective = build_objective(tokenizer, config)
    tokens = PackedTokens(ARTIFACTS / "tokens", "train")
    batches = window_batches(tokens, tokens, objective, config.sequence_length, config.batch_size, 1, params.seed)
    bf16 = lightning_precision("auto") == "bf16-mixed"

    def train(_: Contender) -> None:
        torch.manual_seed(params.seed)
        model = build_language_model(shape, tokenizer, config.sequence_length).train()
        model.set_attn_implementation(ATTENTION)
        optimizer = OPTIMIZERS[config.optimizer](model, config)
        for step in range(steps):
            hand_over()
            batch = batches.make(step, WHOLE)
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = objective.loss(model, batch)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return Contender("apart" if apart else "one text", train, deterministic=True)


if __name__ == "__main__":
    sys.exit(main())
