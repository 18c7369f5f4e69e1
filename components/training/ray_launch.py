"""A training on a Ray cluster: the whole stage, once on each of `trainer.devices` workers of Ray Train.

The workers are the ranks of one training, as two processes of one machine are: the leading one tracks, saves
checkpoints and writes the result, so the project's folder has to lie at one path that all nodes see.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.strategies import ModelParallelStrategy, Strategy

from components.errors import Interrupted, LianziError, ParameterError
from components.ray_engine import ray_engine
from components.training.config import TrainerConfig
from components.training.interruption import NOTICE_VARIABLE, graceful_shutdown
from components.training.store import CheckpointStore

FORWARDED = ("LIANZI_", "MLFLOW_")
"""What the environment variables begin with that workers have as they are here, and not from their nodes."""


def wanted(trainer: TrainerConfig) -> bool:
    """Whether this process is to have a training done by Ray's workers."""
    return trainer.devices > 1 and os.environ.get("LIANZI_ENGINE", "local") != "local"


def launch(
    run_stage: Callable[[list[str]], None],
    words: list[str],
    threads: int,
    trainer: TrainerConfig,
    store: CheckpointStore,
) -> None:
    """Have Ray's workers call `run_stage` with this command line; SIGINT and SIGTERM are passed on to them.

    Raises ServiceError where no cluster answers, ParameterError where it is too small, and what the leading worker
    raised of LianziError and Interrupted.
    """
    notice, spoken = (store.folder.absolute() / name for name in ("stop", "spoken.txt"))
    notice.unlink(missing_ok=True)
    spoken.write_bytes(b"")
    forwarded = {name: value for name, value in os.environ.items() if name.startswith(FORWARDED)}
    given = {
        "run_stage": run_stage,
        "words": words,
        "workers": trainer.devices,
        "folder": str(Path.cwd()),
        "spoken": str(spoken),
        "environment": {**forwarded, "LIANZI_ENGINE": "local", NOTICE_VARIABLE: str(notice)},
    }
    failures: list[BaseException] = []
    # Both Ray and, in the main thread, Ray Train take signals for themselves and stop the workers without a checkpoint.
    with ray_engine(os.environ["LIANZI_ENGINE"]), graceful_shutdown() as stop, spoken.open(encoding="utf-8") as lines:
        training = threading.Thread(target=_train, args=(given, _resources(threads, trainer), failures), daemon=True)
        training.start()
        while training.is_alive():
            training.join(0.2)
            sys.stderr.write(lines.read())
            if stop.requested and store.folder.is_dir():
                notice.touch()
        sys.stderr.write(lines.read())
    for path in (notice, spoken):
        path.unlink(missing_ok=True)
    if failures:
        raise failures[0]


def inside() -> bool:
    """Whether this process is a worker of Ray Train."""
    if "ray.train" not in sys.modules:
        return False
    import ray.train

    try:
        ray.train.get_context().get_world_size()
    except RuntimeError:
        return False
    return True


def worker_strategy(trainer: TrainerConfig) -> tuple[Strategy, LightningEnvironment]:
    """How Lightning trains inside a worker: one device each, ranks as Ray has numbered them."""
    from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment
    from ray.train.torch import get_device

    class RayModelParallelStrategy(ModelParallelStrategy):
        """FSDP2; Ray has a strategy for FSDP1 alone."""

        @property
        def root_device(self) -> torch.device:
            return get_device()

    strategies: dict[str, Any] = {
        "ddp": lambda: RayDDPStrategy(gradient_as_bucket_view=True),
        "fsdp": lambda: RayModelParallelStrategy(data_parallel_size=trainer.devices, tensor_parallel_size=1),
    }
    return strategies[trainer.strategy](), RayLightningEnvironment()


def _resources(threads: int, trainer: TrainerConfig) -> dict[str, float]:
    """What each worker needs. Raises ParameterError where the cluster has not as much."""
    import ray

    there = ray.cluster_resources()
    each = {"CPU": float(threads)} | ({"GPU": 1.0} if there.get("GPU") else {})
    for kind, amount in each.items():
        if there.get(kind, 0) < amount * trainer.devices:
            raise ParameterError(
                f"trainer.devices {trainer.devices}: each takes {amount:g} {kind}, the Ray cluster has {there[kind]:g}",
                "lower trainer.devices or threads, or add nodes",
            )
    return each


def _train(given: dict[str, Any], each: dict[str, float], failures: list[BaseException]) -> None:
    """Run the workers to their end, noting what went wrong."""
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError, WorkerGroupError

    scaling = ScalingConfig(num_workers=given["workers"], use_gpu="GPU" in each, resources_per_worker=each)
    backend = TorchConfig(backend="nccl" if "GPU" in each else "gloo")
    with tempfile.TemporaryDirectory(dir=given["folder"], prefix=".ray-") as storage:
        try:
            TorchTrainer(
                _run_stage,
                train_loop_config=given,
                scaling_config=scaling,
                torch_config=backend,
                run_config=RunConfig(storage_path=storage),
            ).fit()
        except WorkerGroupError as error:
            failures.append(_cause(error.worker_failures) or error)
        except TrainingFailedError as error:
            failures.append(error)


def _run_stage(given: dict[str, Any]) -> None:
    """What each worker does."""
    from components.training import ranks

    run_stage = given["run_stage"]

    os.chdir(given["folder"])
    # A node that has, say, a cache of its own would keep the checkpoints where nobody looks for them.
    for name in [name for name in os.environ if name.startswith(FORWARDED)]:
        del os.environ[name]
    os.environ.update(given["environment"])
    if ranks.is_rank_zero():
        # Ray's way of printing what workers print comes with much of its own.
        with (
            Path(given["spoken"]).open("a", buffering=1, encoding="utf-8") as lines,
            redirect_stdout(lines),
            redirect_stderr(lines),
        ):
            run_stage(given["words"])
        return
    # The first to fail would have the others killed: the leading one still has its run to end.
    with suppress(Interrupted):
        run_stage(given["words"])


def _cause(failures: dict[int, Exception]) -> BaseException | None:
    """What a person can put right, or asked for, among the workers' failures: the leading one's first."""
    causes = [getattr(failure, "_base_exc", failure) for _, failure in sorted(failures.items())]
    return next((cause for cause in causes if isinstance(cause, LianziError | Interrupted)), None)
