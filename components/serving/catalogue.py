"""The models a server answers with, one version of each, exchanged while it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from components.artifacts import digest
from components.serving.batching import Batcher
from components.serving.classification import Classification
from components.serving.limits import Limits
from components.serving.measures import Measures
from components.serving.refusal import Refusal


@dataclass(frozen=True)
class Release:
    """A version of a model and the folder of its bundle."""

    name: str
    version: str
    bundle: Path


@dataclass(eq=False)
class Served:
    """A loaded release with its own queue."""

    name: str
    version: str
    digest: str
    model: Classification
    batcher: Batcher
    users: int = 0
    """Requests that hold it now."""

    @property
    def trace(self) -> str:
        """Which model an answer is from, for the header x-lianzi-trace."""
        return f"model={self.name};version={self.version};bundle={self.digest}"


@dataclass
class Catalogue:
    """What is served now. All methods belong to the event loop; `load` may run anywhere."""

    models: dict[str, Served] = field(default_factory=dict)

    @contextmanager
    def lease(self, name: str, version: str | None) -> Iterator[Served]:
        """The model for one request, kept until the request is done with it. Raises Refusal (404)."""
        served = self.find(name, version)
        served.users += 1
        try:
            yield served
        finally:
            served.users -= 1

    def find(self, name: str, version: str | None = None) -> Served:
        """Raises Refusal (404) for what is not served."""
        served = self.models.get(name)
        if served is None:
            raise Refusal(404, f"no model of that name; served: {', '.join(self.models) or 'none'}")
        if version not in (None, served.version):
            raise Refusal(404, f"{name}: that version is not served; version {served.version} is")
        return served

    def put(self, served: Served) -> asyncio.Task[None] | None:
        """From now on requests get this one; what is on its way to the one before it is finished there."""
        before = self.models.get(served.name)
        self.models[served.name] = served
        return asyncio.get_running_loop().create_task(_retire(before)) if before else None


def load(release: Release, limits: Limits, measures: Measures, threads: int) -> Served:
    """Check, load and warm a release up. Raises ArtifactError, EngineError."""
    model = Classification.load(release.bundle)
    batcher = Batcher(
        model.infer,
        model.classifier.encoder.max_length,
        model.classifier.max_batch,
        limits.max_queue,
        limits.max_delay,
        measures.batches.labels(release.name).observe,
        threads,
    )
    return Served(release.name, release.version, digest(release.bundle), model, batcher)


async def _retire(served: Served) -> None:
    while served.users:
        await asyncio.sleep(0.05)
    served.batcher.close()
