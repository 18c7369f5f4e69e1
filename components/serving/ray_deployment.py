"""`lianzi serve` under Ray Serve: the same application in each replica, for more machines than one.

`serve run infra/ray_serve/topic.yaml`, or `serve run components.serving.ray_deployment:application bundle=FOLDER`.
Where a replica runs, FOLDER has to be: on a shared file system, or in the image.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import ParameterError

if TYPE_CHECKING:
    from ray.serve import Application

    from components.serving.middleware import RequestMiddleware

DEPLOYMENT = "lianzi"
KNOWN = ("bundle", "public_key")


def application(arguments: dict[str, str]) -> Application:
    """What Ray Serve builds; `bundle`: a folder, `public_key`: refuse what it did not sign. Raises ParameterError."""
    unknown = set(arguments) - set(KNOWN)
    if unknown or "bundle" not in arguments:
        told = f"'{min(unknown)}'" if unknown else "no bundle"
        raise ParameterError(f"{told} among the arguments", f"they are bundle=FOLDER, and {KNOWN[1]}=FILE if wanted")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray import serve

    def open_here() -> RequestMiddleware:
        return open_bundle(Path(arguments["bundle"]), arguments.get("public_key"))

    deployment: Any = serve.deployment(name=DEPLOYMENT)(serve.ingress(open_here)())
    return deployment.bind()


def open_bundle(bundle: Path, public_key: str | None = None) -> RequestMiddleware:
    """The application of one replica, loaded. Raises ArtifactError, EngineError."""
    from components.artifacts import digest
    from components.runtime.manifest import model_name, read_bundle
    from components.runtime.signing import verify_bundle
    from components.serving.app import Service, make_app
    from components.serving.limits import Limits
    from components.serving.model_repository import Release, load

    if public_key:
        verify_bundle(bundle, Path(public_key))
    name = model_name(read_bundle(bundle))
    service = Service(Limits())
    release = Release(name, digest(bundle)[:12], bundle)
    service.repository.models[name] = load(release, service.limits, service.metrics, threads=1)
    return make_app(service, _nothing)


def _nothing(line: Any) -> None:
    """Ray Serve has an access log of its own."""
