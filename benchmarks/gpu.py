"""GPT-2 124M on one GPU: our training path beside a bare compiled loop around the same model, steps in turn.

python -m benchmarks.gpu [--rows N] [--steps N]     minutes on an H200; needs no data; exit code 1 without a GPU
python -m benchmarks.gpu --cpu                      the same path, tiny, not compiled; records nothing

The bare loop takes its step inside our data source, between two of our steps, so both meet the same clock and heat.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NEEDED = ("torch", "transformers", "pytorch_lightning", "pydantic", "ruamel.yaml", "safetensors", "psutil", "rich")
DATASHEET = {"H100": (989e12, 0.45), "H200": (989e12, 0.48), "A100": (312e12, None)}
"""Dense bf16 operations a second, and the share of them that is wanted."""
WARM_UP = 8
"""Steps: compilation, and clocks that settle."""
LOSS_TOLERANCE = 0.01
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Size:
    """Of the model, and of the windows that it reads."""

    layers: int = 12
    width: int = 768
    vocabulary: int = 50304
    length: int = 1024
    device: str = "cuda"

    def products(self, rows: int) -> list[tuple[int, int, int]]:
        """Rows, inputs and outputs of a layer's linear maps, and of the output layer."""
        tokens, width = rows * self.length, self.width
        layer = [(width, 3 * width), (width, width), (width, 4 * width), (4 * width, width)]
        return [*((tokens, *one) for one in layer * self.layers), (rows * (self.length - 1), width, self.vocabulary)]


TINY = Size(layers=1, width=64, vocabulary=128, length=32, device="cpu")


@dataclass
class Turns:
    """Seconds and losses of both; `peer` takes one step of the bare loop."""

    peer: Callable[[int], Any]
    synchronize: Callable[[], None]
    began: float | None = None
    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    our_losses: list[Any] = field(default_factory=list)
    their_losses: list[Any] = field(default_factory=list)

    def between(self, step: int) -> None:
        """Called where our loop asks for a step's data: ends our step, takes one of the peer's."""
        import torch

        self.synchronize()
        now = time.perf_counter()
        if self.began is not None:
            self.ours.append(now - self.began)
        # Our path asks for deterministic kernels; the peer's users do not.
        torch.use_deterministic_algorithms(False)
        self.their_losses.append(self.peer(step))
        self.synchronize()
        self.theirs.append(time.perf_counter() - now)
        torch.use_deterministic_algorithms(True)
        self.began = time.perf_counter()


def main() -> int:
    """Measure and write benchmarks/results/gpu.json."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rows", type=int, default=32, help="windows of 1,024 tokens a step")
    options.add_argument("--steps", type=int, default=40)
    options.add_argument("--cpu", action="store_true", help="a tiny dry run of the same path")
    chosen = options.parse_args()
    missing = [name for name in NEEDED if find_spec(name.partition(".")[0]) is None]
    if missing:
        return _refuse(f"this Python has no {', '.join(missing)}")
    import torch

    if not (chosen.cpu or torch.cuda.is_available()):
        return _refuse("no CUDA GPU here")
    try:
        import benchmarks.report  # noqa: F401

        if chosen.cpu:
            dry_run()
            return 0
        turns, flops = measure(Size(), chosen.rows, WARM_UP + chosen.steps)
    except ImportError as error:
        return _refuse(f"the libraries here are too old for the project: {error}")
    tell(turns, flops, Size(), chosen.rows)
    return 0


def dry_run() -> None:
    """Both loops and the products of their layers, tiny, on the CPU. Raises AssertionError where losses differ."""
    import torch

    from benchmarks.peak import gemm_flops_at

    turns, _ = measure(TINY, 2, WARM_UP)
    check_losses(turns)
    rate = gemm_flops_at(TINY.products(2), torch.bfloat16, "cpu")
    print(f"both loops see the same losses over {len(turns.their_losses)} steps; products {rate / 1e9:.1f} GFLOP/s")


def measure(size: Size, rows: int, steps: int) -> tuple[Turns, float]:
    """Run `steps` steps of both; and the operations of a step."""
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

    params, on_gpu = load_params(ROOT / "params.yaml"), size.device == "cuda"
    shape = params.model.model_copy(
        update={"architecture": "gpt2", "depth": size.layers, "width": size.width, "max_length": size.length}
    )
    learned: dict[str, Any] = {"objective": ObjectiveConfig(name="clm"), "average_decay": 0.0, "learning_rate": 3e-4}
    learned |= {"schedule": "constant", "warmup_fraction": 0.0}
    config = params.pretrain.model_copy(
        update={"batch_size": rows, "sequence_length": size.length, "steps": steps, **learned}
    )
    trainer = params.trainer.model_copy(update={"devices": 1, "accumulate": 1, "compile": on_gpu})
    prepare_libraries(params.pretrain.threads)
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    model = build_language_model(shape, _Vocabulary(size.vocabulary), size.length).train()  # type: ignore[arg-type]
    ids = torch.randint(size.vocabulary, (steps, rows, size.length), generator=torch.Generator().manual_seed(1))
    objective = CausalLanguageModeling()
    turns = Turns(_bare_loop(model, ids, config, size.device), torch.cuda.synchronize if on_gpu else lambda: None)

    def make(step: int, part: slice) -> dict[str, Any]:
        turns.between(step)
        return objective.prepare(ids[step], torch.Generator(), part)

    def held_out(step: int) -> dict[str, Any]:
        return objective.prepare(ids[0][:1], torch.Generator(), slice(None))

    module = LanguageModule(model, objective, config, trainer, steps, seed=0)
    module.learner.register_forward_hook(lambda _, inputs, out: _keep(turns.our_losses, out))
    batches = Batches(make, lambda step: rows, lambda step: torch.arange(rows), held_out, 1)
    head = head_of(model).weight.numel()
    tokens, predicted = rows * size.length, rows * (size.length - 1)
    flops = step_flops(model, size.layers, size.width, tokens, size.length, head, predicted)
    with tempfile.TemporaryDirectory() as folder:
        fit(
            module,
            batches,
            Schedule("gpu", steps, steps * tokens),
            "bf16",
            RecordedRun(),
            CheckpointStore(Path(folder)),
        )
    return turns, flops


def _bare_loop(initial: Any, ids: Any, config: Any, device: str) -> Callable[[int], Any]:
    """One step of a loop around transformers' compiled model, as its documentation writes it."""
    import copy

    import torch

    from components.training.optimizers import decay_groups

    on_gpu = device == "cuda"
    model = copy.deepcopy(initial).to(device)
    compiled = torch.compile(model) if on_gpu else model
    groups = decay_groups(model.parameters(), config.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, fused=on_gpu)

    def step(number: int) -> Any:
        batch = ids[number].pin_memory().cuda(non_blocking=True) if on_gpu else ids[number]
        with torch.autocast(device, torch.bfloat16):
            loss = compiled(input_ids=batch, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip)
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


def check_losses(turns: Turns) -> None:
    """Raise AssertionError where the two did not compute the same over the first steps."""
    for mine, theirs in list(zip(turns.our_losses, turns.their_losses, strict=False))[:WARM_UP]:
        message = f"the two loops do not compute the same: losses {mine.item()} and {theirs.item()}"
        assert abs(mine.item() - theirs.item()) <= LOSS_TOLERANCE * abs(mine.item()), message


def tell(turns: Turns, flops: float, size: Size, rows: int) -> None:
    """Print and record."""
    import torch

    from benchmarks.peak import gemm_flops, gemm_flops_at
    from benchmarks.report import Figure, paired_steps, report

    check_losses(turns)
    # Our last step runs on into the validation: nothing ends it, so it has no time.
    pairs = list(zip(turns.ours, turns.theirs, strict=False))[WARM_UP:]
    beside = paired_steps([mine for mine, _ in pairs], [theirs for _, theirs in pairs])
    ours = beside.ours
    name = torch.cuda.get_device_name()
    square = gemm_flops(torch.bfloat16, "cuda", (4096, 8192))
    own = gemm_flops_at(size.products(rows), torch.bfloat16, "cuda")
    step = "gpt2-124m: step, "
    figures = {
        f"{step}bare compiled loop": beside,
        f"{step}its arithmetic at the measured GEMM": Figure(ours, 1e3 * flops / square, "ms"),
        f"{step}its arithmetic at the GEMM of its own shapes": Figure(ours, 1e3 * flops / own, "ms"),
    }
    known = next((known for part, known in DATASHEET.items() if part in name), None)
    if known is not None:
        peak, goal = known
        figures[f"{step}its arithmetic at the datasheet's peak"] = Figure(ours, 1e3 * flops / peak, "ms", goal)
    rate = 1e3 * rows * size.length / ours
    products = f"GEMM {square / 1e12:.0f} TFLOP/s, at the layers' own shapes {own / 1e12:.0f}"
    note = f"{name}, bf16, {rows} x {size.length} tokens, {rate:,.0f} tokens/s, {products}"
    report("gpu", figures, ("torch", "transformers", "pytorch-lightning"), note)


@dataclass(frozen=True)
class _Vocabulary:
    """As much of a tokenizer as the shape of a model needs."""

    size: int
    pad_token_id = bos_token_id = eos_token_id = cls_token_id = sep_token_id = 0

    def __len__(self) -> int:
        return self.size


def _keep(losses: list[Any], out: Any) -> None:
    """Note a step's loss; validation gives a tuple."""
    if not isinstance(out, tuple):
        losses.append(out.detach())


def _refuse(reason: str) -> int:
    print(f"benchmarks.gpu: {reason}; nothing was measured", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
