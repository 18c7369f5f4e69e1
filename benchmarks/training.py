"""A training step of ours beside what a user would write or pick instead: steps in turn, one process, one model.

python -m benchmarks.training [--shape gpt2|default|tiny|all] [--steps N] [--threads N]

`gpt2`: 13.8 million weights, causal, 4,096 tokens a step. `default`: the shape of params.yaml, masked. `tiny`: a model
of next to no arithmetic, which shows what trainer and tracking cost.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import sys
import tempfile
import warnings
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from benchmarks.peak import gemm_flops
from benchmarks.peers.environment import reenter
from benchmarks.report import Figure, paired_steps, report
from benchmarks.turns import Contender, take_turns
from components.params import Params, load_params
from components.run import Run
from components.training.trainer import lightning_precision, prepare_libraries

ROOT = Path(__file__).parent.parent
WARM_UP = 4
STEPS = {"gpt2": 20, "default": 40, "tiny": 1500}
GEMM_SIZES = (1024, 1536, 2048)
GOALS = {"HF Trainer": 1.25, "hand-written": 1.5, "hand-written, compiled": 1.35}
PEAK_GOAL = 0.75
OVERHEAD_GOAL = 0.2
"""Milliseconds a step that trainer and tracking may cost above Lightning without logging."""
LOSS_TOLERANCE = 0.01
"""Relative, over the first steps: bf16 rounds differently in kernels that compute the same."""


def main() -> int:
    """Measure and write benchmarks/results/training.json."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--shape", choices=(*STEPS, "all"), default="all")
    options.add_argument("--steps", type=int, help="timed steps a contender; as many as fit the shape if not given")
    options.add_argument("--threads", type=int, default=os.cpu_count())
    chosen = options.parse_args()
    reenter("training", "benchmarks.training", sys.argv[1:])
    _quiet()
    prepare_libraries(chosen.threads)
    params = load_params(ROOT / "params.yaml")
    bf16 = lightning_precision("auto") == "bf16-mixed"
    peaks = _peaks()
    figures: dict[str, Figure] = {}
    notes = [f"{chosen.threads} threads", "bf16 autocast" if bf16 else "fp32", _spoken(peaks)]
    for name in STEPS if chosen.shape == "all" else [chosen.shape]:
        found, rates = measure(name, params, chosen.steps or STEPS[name], bf16, peaks["bf16" if bf16 else "fp32"])
        figures |= found
        notes += [rates] if rates else []
    notes.append("a peer's time is our median times the median ratio of the steps taken in the same round")
    report("training", figures, ("torch", "transformers", "pytorch-lightning", "accelerate"), "; ".join(notes))
    return 0


def measure(name: str, params: Params, steps: int, bf16: bool, peak: float) -> tuple[dict[str, Figure], str]:
    """The figures of a shape, and everyone's tokens a second in words."""
    from benchmarks import training_contenders as known
    from benchmarks.training_task import shapes, task_of

    with tempfile.TemporaryDirectory() as folder:
        task = task_of(shapes(params)[name], params, WARM_UP + steps, Path(folder) / "tokens", bf16)
        if name == "tiny":
            with _tracked(folder) as run:
                ours, plain = known.ours(task, run), known.plain_learner(task)
                take_turns([ours, plain], WARM_UP, steps)
            # The very same computation: a kernel of another speed would count as trainer and tracking.
            check_losses([ours, plain], tolerance=0.0)
            return overhead(ours, plain), ""
        contenders = [known.ours(task), known.bare_loop(task), known.hf_trainer(task), known.plain_lightning(task)]
        if name == "gpt2":
            contenders += [known.handwritten(task), known.handwritten(task, compiled=True)]
        take_turns(contenders, WARM_UP, steps)
    check_losses(contenders)
    ours, *peers = contenders
    median = statistics.median(ours.seconds)
    rates = ", ".join(f"{each.name} {task.tokens / statistics.median(each.seconds):,.0f}" for each in contenders)
    figures = {f"{name}: step, {peer.name}": paired(ours, peer) for peer in peers}
    figures[f"{name}: step, its arithmetic at the GEMM peak"] = Figure(
        1e3 * median, 1e3 * task.flops / peak, "ms", PEAK_GOAL if name == "gpt2" else None
    )
    return figures, f"{name}, tokens a second: {rates}"


def paired(ours: Contender, peer: Contender) -> Figure:
    """Step times of two contenders by the ratio of the steps they took in the same round."""
    return paired_steps(ours.seconds, peer.seconds, GOALS.get(peer.name))


def overhead(ours: Contender, plain: Contender) -> dict[str, Figure]:
    """What trainer and tracking cost a step: of medians, and of means, which hold the steps that report too."""
    figures = {"tiny: step, plain Lightning": paired(ours, plain)}
    for name, average in (("median", statistics.median), ("mean", statistics.fmean)):
        above = 1e3 * (average(ours.seconds) - average(plain.seconds))
        label = f"tiny: trainer and tracking, {name}, the {OVERHEAD_GOAL} ms allowed"
        # A difference of nothing or less is as good as a thousandth.
        figures[label] = Figure(max(above, 1e-3), OVERHEAD_GOAL, "ms", 1.0 if name == "median" else None)
    return figures


def check_losses(contenders: list[Contender], steps: int = WARM_UP, tolerance: float = LOSS_TOLERANCE) -> None:
    """Raise AssertionError unless all saw the same losses at first: who computes something else is no contender."""
    first, *others = contenders
    for other in others:
        for step in range(steps):
            mine, theirs = first.losses[step].item(), other.losses[step].item()
            message = f"{other.name} does not compute what {first.name} does: step {step}, loss {theirs} and {mine}"
            assert abs(theirs - mine) <= tolerance * abs(mine), message


def _peaks() -> dict[str, float]:
    kinds = {"bf16": torch.bfloat16, "fp32": torch.float32}
    return {name: gemm_flops(dtype, "cpu", GEMM_SIZES) for name, dtype in kinds.items()}


def _spoken(peaks: dict[str, float]) -> str:
    return ", ".join(f"GEMM peak {name} {peak / 1e9:.0f} GFLOP/s" for name, peak in peaks.items())


def _tracked(folder: str) -> AbstractContextManager[Run]:
    """A run that MLflow remembers, in a store of its own."""
    from components.tracking import stage_run

    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    return stage_run("pretrain", None, {}, {})


def _quiet() -> None:
    warnings.simplefilter("ignore")
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning.fabric", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


if __name__ == "__main__":
    sys.exit(main())
