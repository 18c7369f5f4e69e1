"""GPT-2 124M on one GPU: our training path beside a bare compiled loop around the same model, steps in turn.

python -m benchmarks.gpu [--rows N] [--steps N]     minutes on an H200; needs no data; exit code 1 without a GPU

The bare loop takes its step inside our data source, between two of our steps, so both meet the same clock and heat.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NEEDED = ("torch", "transformers", "pytorch_lightning", "pydantic", "ruamel.yaml", "safetensors", "psutil", "rich")
DATASHEET = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
"""Dense bf16 operations a second."""
GOAL = 0.45
LENGTH, VOCABULARY, DEPTH = 1024, 50304, 12
WARM_UP = 8
"""Steps: compilation, and clocks that settle."""
LOSS_TOLERANCE = 0.01
ROOT = Path(__file__).parent.parent


@dataclass
class Turns:
    """Seconds and losses of both; `peer` takes one step of the bare loop."""

    peer: Callable[[int], Any]
    began: float | None = None
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    our_losses: list[Any] = field(default_factory=list)
    their_losses: list[Any] = field(default_factory=list)

    def between(self, step: int) -> None:
        """Called where our loop asks for a step's data: ends our step, takes one of the peer's."""
        import torch

        torch.cuda.synchronize()
        now = time.perf_counter()
        if self.began is not None:
            self.ours.append(now - self.began)
        # Our path asks for deterministic kernels; the peer's users do not.
        torch.use_deterministic_algorithms(False)
        self.their_losses.append(self.peer(step))
        torch.cuda.synchronize()
        self.theirs.append(time.perf_counter() - now)
        torch.use_deterministic_algorithms(True)
        self.began = time.perf_counter()


def main() -> int:
    """Measure and write benchmarks/results/gpu.json."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rows", type=int, default=32, help="windows of 1,024 tokens a step")
    options.add_argument("--steps", type=int, default=40)
    chosen = options.parse_args()
    missing = [name for name in NEEDED if find_spec(name.partition(".")[0]) is None]
    if missing:
        return _refuse(f"this Python has no {', '.join(missing)}")
    import torch

    if not torch.cuda.is_available():
        return _refuse("no CUDA GPU here")
    try:
        import benchmarks.report  # noqa: F401

        turns, flops, versions = measure(chosen.rows, WARM_UP + chosen.steps)
    except ImportError as error:
        return _refuse(f"the libraries here are too old for the project: {error}")
    tell(turns, flops, chosen.rows, versions)
    return 0


def measure(rows: int, steps: int) -> tuple[Turns, float, tuple[str, ...]]:
    """Run `steps` steps of both; the operations of a step, and the packages it took."""
    import torch

    from benchmarks.peak import step_flops
    from components.modeling.architectures import build_language_model, head_of
    from components.modeling.config import ObjectiveConfig
    from components.modeling.objectives.clm import CausalLanguageModeling
    from components.params import load_params
    from components.run import RecordedRun
    from components.training.batches import Batches
    from components.training.module import LanguageModule
    from components.training.store import CheckpointStore
    from components.training.trainer import Schedule, fit, prepare_libraries

    params = load_params(ROOT / "params.yaml")
    shape = params.model.model_copy(
        update={"architecture": "gpt2", "depth": DEPTH, "width": None, "max_length": LENGTH}
    )
    learned: dict[str, Any] = {"objective": ObjectiveConfig(name="clm"), "average_decay": 0.0, "learning_rate": 3e-4}
    learned |= {"schedule": "constant", "warmup_fraction": 0.0}
    config = params.pretrain.model_copy(
        update={"batch_size": rows, "sequence_length": LENGTH, "steps": steps, **learned}
    )
    trainer = params.trainer.model_copy(update={"devices": 1, "accumulate": 1, "compile": True})
    prepare_libraries(params.pretrain.threads)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    model = build_language_model(shape, _Vocabulary(), LENGTH).train()  # type: ignore[arg-type]
    ids = torch.randint(VOCABULARY, (steps, rows, LENGTH), generator=torch.Generator().manual_seed(1))
    objective = CausalLanguageModeling()
    turns = Turns(_bare_loop(model, ids, config))

    def make(step: int, part: slice) -> dict[str, Any]:
        turns.between(step)
        return objective.prepare(ids[step], torch.Generator(), part)

    def held_out(step: int) -> dict[str, Any]:
        return objective.prepare(ids[0][:1], torch.Generator(), slice(None))

    module = LanguageModule(model, objective, config, trainer, steps, seed=0)
    module.learner.register_forward_hook(lambda _, inputs, out: _keep(turns.our_losses, out))
    batches = Batches(make, lambda step: rows, lambda step: torch.arange(rows), held_out, 1)
    head = head_of(model).weight.numel()
    flops = step_flops(model, DEPTH, model.config.hidden_size, rows * LENGTH, LENGTH, head, rows * (LENGTH - 1))
    with tempfile.TemporaryDirectory() as folder:
        fit(
            module,
            batches,
            Schedule("gpu", steps, steps * rows * LENGTH),
            "bf16",
            RecordedRun(),
            CheckpointStore(Path(folder)),
        )
    return turns, flops, ("torch", "transformers", "pytorch-lightning")


def _bare_loop(initial: Any, ids: Any, config: Any) -> Callable[[int], Any]:
    """One step of a loop around transformers' compiled model, as its documentation writes it."""
    import copy

    import torch

    from components.training.optimizers import decay_groups

    model = copy.deepcopy(initial).cuda()
    compiled = torch.compile(model)
    groups = decay_groups(model.parameters(), config.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)

    def step(number: int) -> Any:
        batch = ids[number].pin_memory().cuda(non_blocking=True)
        with torch.autocast("cuda", torch.bfloat16):
            loss = compiled(input_ids=batch, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


def tell(turns: Turns, flops: float, rows: int, versions: tuple[str, ...]) -> None:
    """Print and record; raises AssertionError where the two did not compute the same."""
    import torch

    from benchmarks.peak import gemm_flops
    from benchmarks.report import Figure, report

    for mine, theirs in list(zip(turns.our_losses, turns.their_losses, strict=False))[:WARM_UP]:
        message = f"the two loops do not compute the same: losses {mine.item()} and {theirs.item()}"
        assert abs(mine.item() - theirs.item()) <= LOSS_TOLERANCE * abs(mine.item()), message
    # Our last step runs on into the validation: nothing ends it, so it has no time.
    pairs = list(zip(turns.ours, turns.theirs, strict=False))[WARM_UP:]
    ours = statistics.median(mine for mine, _ in pairs)
    ratio = statistics.median(theirs / mine for mine, theirs in pairs)
    measured, name = gemm_flops(torch.bfloat16, "cuda", (4096, 8192)), torch.cuda.get_device_name()
    figures = {
        "gpt2-124m: step, bare compiled loop": Figure(1e3 * ours, 1e3 * ours * ratio, "ms"),
        "gpt2-124m: step, its arithmetic at the measured GEMM": Figure(1e3 * ours, 1e3 * flops / measured, "ms"),
    }
    peak = next((peak for part, peak in DATASHEET.items() if part in name), None)
    if peak is not None:
        label = "gpt2-124m: step, its arithmetic at the datasheet's peak"
        figures[label] = Figure(1e3 * ours, 1e3 * flops / peak, "ms", GOAL)
    rate = rows * LENGTH / ours
    note = f"{name}, bf16, {rows} x {LENGTH} tokens, {rate:,.0f} tokens/s, GEMM {measured / 1e12:.0f} TFLOP/s"
    report("gpu", figures, versions, note)


class _Vocabulary:
    """As much of a tokenizer as the shape of a model needs."""

    pad_token_id = bos_token_id = eos_token_id = cls_token_id = sep_token_id = 0

    def __len__(self) -> int:
        return VOCABULARY


def _keep(losses: list[Any], out: Any) -> None:
    """Note a step's loss; validation gives a tuple."""
    if not isinstance(out, tuple):
        losses.append(out.detach())


def _refuse(reason: str) -> int:
    print(f"benchmarks.gpu: {reason}; nothing was measured", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
