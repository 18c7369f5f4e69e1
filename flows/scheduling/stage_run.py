"""A stage as a flow run of its own, which a worker of another work pool carries out for a run of the pipeline.

Both work in one folder: what the stage prints goes through a file there, its outcome through the state of the run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from flows import env_defaults

env_defaults.prepare()

from prefect import flow, get_run_logger  # noqa: E402
from prefect.client.orchestration import get_client  # noqa: E402
from prefect.exceptions import ObjectNotFound  # noqa: E402
from prefect.runtime import flow_run  # noqa: E402
from prefect.states import Completed, Failed, State  # noqa: E402

from components import tracking  # noqa: E402
from components.errors import LianziError, ParameterError  # noqa: E402
from components.lease import signed_at  # noqa: E402
from components.orphans import LOOK_SECONDS  # noqa: E402
from flows.dvc_repro import reproduce, stop_running  # noqa: E402
from flows.scheduling.gpu_pool import lines_of  # noqa: E402
from flows.settings import project_folder  # noqa: E402

PARENT_SECONDS = 10.0
"""Between two looks whether the run of the pipeline is still there."""


@flow(name="stage", flow_run_name="{stage}", validate_parameters=False)
def stage_run(
    root: str, stage: str, turn: str, store: str, mlflow_run: str, parent: str, seconds: float | None = None
) -> State[Any]:
    """Run one stage through DVC in the folder `root`; the state's message is the outcome of `reproduce`.

    `turn`: how the lease of the pipeline's run is signed, `store`: its MLflow, `mlflow_run`: its run there, `parent`:
    its flow run, without which the stage ends. After so many `seconds` the stage is ended.
    """
    logger = get_run_logger()
    try:
        folder = project_folder(root)
        _check_shared(folder, turn, store)
    except LianziError as error:
        logger.error(str(error))
        return Failed(message="; ".join(str(error).splitlines()))
    path = lines_of(folder, str(flow_run.id))
    path.parent.mkdir(parents=True, exist_ok=True)

    def heard(line: str) -> None:
        logger.info(line)
        # Opened for each line: on a network disk another machine sees what was closed.
        with path.open("a", encoding="utf-8") as lines:
            lines.write(f"{line}\n")

    with _ended_with(lambda: signed_at(folder) != turn or _is_over(UUID(parent))):
        code, outcome = reproduce(stage, folder, heard, seconds, {tracking.PARENT_VARIABLE: mlflow_run})
    return Completed(message=outcome) if code == 0 else Failed(message=outcome)


def _check_shared(folder: Path, turn: str, store: str) -> None:
    """Raises ParameterError where this folder or store is another than that of the pipeline's run."""
    if signed_at(folder) != turn:
        raise ParameterError(
            f"{folder}: on this worker's machine it is another folder than the run's",
            "share the project's folder with the workers of the GPU pool, at the same path",
        )
    if tracking.store_name() != store:
        raise ParameterError(
            f"this worker logs to {tracking.store_name()}, the run to {store}",
            "start the worker with the same MLFLOW_TRACKING_URI",
        )


@contextmanager
def _ended_with(over: Callable[[], bool]) -> Iterator[None]:
    """End the stage, which saves its checkpoint, once the run of the pipeline is over: ended, gone, or followed by
    another."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(PARENT_SECONDS):
            if over():
                while not done.wait(LOOK_SECONDS):
                    stop_running()

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _is_over(parent: UUID) -> bool:
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(parent).state
    except ObjectNotFound:
        return True
    except Exception:
        # A server that is away says nothing about the run.
        return False
    return state is not None and state.is_final()
