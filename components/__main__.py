"""Run one stage: `python -m components STAGE --name path … --metrics FILE [--curves FILE] [--task NAME]`.

dvc.yaml calls this. The options a stage takes are the `Path` arguments of its function.
"""

from __future__ import annotations

from components.forkserver.client import hand_over

if __name__ == "__main__":
    hand_over("components", "components.__main__")
    from components.stage_process import leave  # late: where a fork does the work, nothing else is to be imported

    leave()
