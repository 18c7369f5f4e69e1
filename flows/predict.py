"""The champion of a task, ready to answer."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import ArtifactError, ParameterError
from components.params import load_params

if TYPE_CHECKING:
    from components.deployment.serving import Classifier


def champion_classifier(root: Path, task: str, public_key: Path | None = None) -> Classifier:
    """Load the champion from the registry; with a public key, only one that it signed.

    Raises ParameterError (unknown task), ArtifactError (none yet, or not signed).
    """
    known = list(load_params(root / "params.yaml").tasks)
    if task not in known:
        close = difflib.get_close_matches(task, known, n=1, cutoff=0.4)
        hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"
        raise ParameterError(f"no task '{task}' in params.yaml", hint)
    from components import tracking
    from components.deployment.serving import load_bundle
    from components.registry import Registry

    registry = Registry() if tracking.store_exists() else None
    champion = registry.champion(task) if registry else None
    if registry is None or champion is None:
        raise ArtifactError(f"{task}: no champion yet", "`lianzi run` trains and releases one")
    bundle = registry.bundle(task, champion.version)
    if public_key:
        from components.deployment.signing import verify_bundle

        verify_bundle(bundle, public_key)
    return load_bundle(bundle)
