"""Run a stage that sends itself a signal once it has saved: `python -m tests.stopping SIGNAL SAVES STAGE …`.

The moment is counted in checkpoints, not in seconds, so that a slow machine stops where a fast one does.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from components.forkserver.client import hand_over


def stop_after(saves: int, number: signal.Signals) -> None:
    """Have the process signal itself when it has saved that many times."""
    from components.training.store import CheckpointStore

    save = CheckpointStore.save
    done = 0

    def counted(*given: Any) -> Path:
        nonlocal done
        written = save(*given)
        done += 1
        if done == saves:
            os.kill(os.getpid(), number)
        return written

    CheckpointStore.save = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    hand_over("tests.stopping")
    from components.stage_process import main  # late: a fork does the work

    stop_after(int(sys.argv[2]), signal.Signals[sys.argv[1]])
    code = main(sys.argv[3:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
