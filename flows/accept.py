"""`lianzi accept`: today's data becomes what later data is compared with."""

from __future__ import annotations

from pathlib import Path

from components.artifacts import verify
from components.validation.drift import STATISTICS, accepted_name
from flows.settings import change_params

ACCEPTED = Path("metrics/accepted")


def accept_data(root: Path) -> list[str]:
    """Keep the statistics of the validated data under their own digest and name them in params.yaml.

    Returns a line a change. Raises ArtifactError where nothing was validated, or its verdict was changed since.
    """
    verdict = root / "artifacts" / "validation"
    verify(verdict, "verdict")
    content = (verdict / STATISTICS).read_bytes()
    path = ACCEPTED / accepted_name(content)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(content)
    return [f"{path}: statistics of the data; commit it", *change_params(root / "params.yaml", (_setting(path),))]


def _setting(path: Path) -> str:
    return f"validate.accepted={path.as_posix()}"
