"""dvc.lock, in the order in which a first `dvc repro` writes it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def order_lock(root: Path) -> None:
    """Sort the stages of dvc.lock in the order in which a first `dvc repro` writes them.

    Parallel stages are written in the order in which they end; sorted, both drivers give the same bytes.
    """
    from dvc.repo import Repo
    from dvc.repo.reproduce import plan_repro
    from dvc.utils.serialize import modify_yaml

    if not (root / "dvc.lock").is_file():
        return
    with Repo(str(root), _wait_for_lock=True) as repo:
        order = [str(stage.addressing) for stage in plan_repro(repo.index.graph)]

        def rewrite() -> None:
            with repo.lock, modify_yaml(str(root / "dvc.lock")) as content:
                stages = content["stages"]
                known = [name for name in order if name in stages]
                for name in known:
                    stages[name] = stages.pop(name)

        _while_locked(rewrite, seconds=60)


def _while_locked(call: Callable[[], Any], seconds: float) -> Any:
    """The result of a call that takes DVC's lock; it is repeated for so many seconds while another process has it."""
    from dvc.lock import LockError

    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except LockError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
