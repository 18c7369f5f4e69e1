"""The models a server answers with, one version of each, exchanged while it answers; beside it a canary, a version that
answers a share of the texts.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from components.artifacts import digest
from components.runtime.manifest import CLASSIFICATION, EMBEDDING, GENERATION, form_of, read_bundle
from components.serving.batching import Batcher
from components.serving.continuous_batching import ContinuousBatcher
from components.serving.embedding import Embedding
from components.serving.garbage import settle
from components.serving.generation import Generation
from components.serving.limits import Limits
from components.serving.metrics import Metrics
from components.serving.request_error import RequestError
from components.serving.task_model import TaskModel

Form = TypeVar("Form", TaskModel, Embedding)
Model = TaskModel | Embedding | Generation
Queue = Batcher | ContinuousBatcher
SENTENCE_VECTOR = "sentence_embedding"


@dataclass(frozen=True)
class Release:
    """A version of a model and the folder of its bundle. canary: it answers a share of the texts alone."""

    name: str
    version: str
    bundle: Path
    canary: bool = False


@dataclass(eq=False)
class LoadedModel:
    """A loaded release with its own queue."""

    name: str
    version: str
    digest: str
    model: Model
    batcher: Queue
    users: int = 0
    """Requests that hold it now."""
    loaded: int = field(default_factory=lambda: int(time.time()))
    """Seconds since 1970."""
    canary: bool = False

    def batched(self, form: type[Form]) -> tuple[Form, Batcher]:
        """Model and queue, of the form that a route is for. Raises RequestError."""
        if isinstance(self.model, form) and isinstance(self.batcher, Batcher):
            return self.model, self.batcher
        raise self._other_form()

    def continuous(self) -> tuple[Generation, ContinuousBatcher]:
        """Model and queue of what generates. Raises RequestError."""
        if isinstance(self.model, Generation) and isinstance(self.batcher, ContinuousBatcher):
            return self.model, self.batcher
        raise self._other_form()

    def _other_form(self) -> RequestError:
        endpoints = " and ".join(self.model.endpoints)
        return RequestError(
            400, f"{self.name} does not answer here, but at {endpoints}", "model", "model_not_supported"
        )

    async def close(self) -> None:
        """Finish what waits and end what runs beside this process; threads that are at work are not waited for."""
        self.batcher.close()
        if isinstance(self.model, Generation):
            await self.model.close()

    @property
    def trace(self) -> str:
        """Which model an answer is from, for the header x-lianzi-trace."""
        return f"model={self.name};version={self.version};bundle={self.digest}" + ";canary=true" * self.canary

    def like(self, other: LoadedModel) -> bool:
        """Whether it takes and gives what the other does, so that a client need not know which one answers. Scores
        stand in the order of the labels; vectors of two models never lie in one space.
        """
        if isinstance(self.model, TaskModel) and isinstance(other.model, TaskModel):
            ours, theirs = self.model.describe(), other.model.describe()
            vectors = SENTENCE_VECTOR in self.model.classifier.form.tensors
            return not vectors and all(ours[name] == theirs[name] for name in ("inputs", "outputs", "labels"))
        return isinstance(self.model, Generation) and isinstance(other.model, Generation)


@dataclass
class ModelRepository:
    """What is served now. All methods belong to the event loop; `load` may run anywhere."""

    models: dict[str, LoadedModel] = field(default_factory=dict)
    canaries: dict[str, LoadedModel] = field(default_factory=dict)
    share: float = 0.0
    """Of the texts, by their hash, that go to a canary."""
    changed: Callable[[], None] = lambda: None
    """Called when what is served has changed."""

    @property
    def every(self) -> list[LoadedModel]:
        """The models and the canaries."""
        return [*self.models.values(), *self.canaries.values()]

    @contextmanager
    def lease(self, name: str, version: str | None) -> Iterator[LoadedModel]:
        """The model for one request, kept until the request is done with it. Raises RequestError (404)."""
        with self.hold(self.find(name, version)) as served:
            yield served

    @contextmanager
    def hold(self, served: LoadedModel) -> Iterator[LoadedModel]:
        """The same for one that was found."""
        served.users += 1
        try:
            yield served
        finally:
            served.users -= 1

    def find(self, name: str, version: str | None = None) -> LoadedModel:
        """Raises RequestError (404) for what is not served."""
        served = self.models.get(name)
        if served is None:
            raise RequestError(404, f"no model of that name; served: {', '.join(self.models) or 'none'}")
        canary = self.canaries.get(name)
        if canary is not None and version == canary.version:
            return canary
        if version not in (None, served.version):
            raise RequestError(404, f"{name}: that version is not served; version {served.version} is")
        return served

    def choose(self, served: LoadedModel, texts: Sequence[str]) -> LoadedModel:
        """The canary in place of a model, where these texts are in its share: a request's texts, asked again, go to the
        same version, on every server. Another canary gets other texts.
        """
        canary = self.canaries.get(served.name)
        if canary is None or canary is served or not in_share(canary.version, texts, self.share):
            return served
        return canary if canary.like(served) else served

    def put(self, served: LoadedModel) -> asyncio.Task[None] | None:
        """From now on requests get this one; what is on its way to the one before it is finished there."""
        place = self.canaries if served.canary else self.models
        before = place.get(served.name)
        place[served.name] = served
        self.changed()
        return asyncio.get_running_loop().create_task(_retire(before)) if before else None

    def end_canary(self, name: str) -> asyncio.Task[None] | None:
        """From now on the model of that name answers all requests."""
        canary = self.canaries.pop(name, None)
        self.changed()
        return asyncio.get_running_loop().create_task(_retire(canary)) if canary else None


def in_share(salt: str, texts: Sequence[str], share: float) -> bool:
    """Whether texts are in the share that a hash of them decides."""
    told = "\0".join((salt, *texts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big") < share * 2**64


def load(release: Release, limits: Limits, metrics: Metrics, threads: int) -> LoadedModel:
    """Check, load and warm a release up, as what its manifest says it is. Raises ArtifactError, EngineError."""
    form = form_of(read_bundle(release.bundle))
    model, batcher = LOADERS[form](release, limits, metrics, threads)
    return LoadedModel(release.name, release.version, digest(release.bundle), model, batcher, canary=release.canary)


def _task_model(release: Release, limits: Limits, metrics: Metrics, threads: int) -> tuple[Model, Queue]:
    model = TaskModel.load(release.bundle)
    encoder = model.classifier.encoder
    return model, _batcher(model, encoder.max_length, model.classifier.max_batch, release, limits, metrics, threads)


def _embedding(release: Release, limits: Limits, metrics: Metrics, threads: int) -> tuple[Model, Queue]:
    model = Embedding.load(release.bundle)
    return model, _batcher(model, model.max_length, model.max_batch, release, limits, metrics, threads)


def _generation(release: Release, limits: Limits, metrics: Metrics, threads: int) -> tuple[Model, Queue]:
    model = Generation.load(release.bundle, threads)
    return model, ContinuousBatcher(
        model.generator,
        limits.max_queue,
        metrics.batches.labels(release.name).observe,
        metrics.generated.labels(release.name).inc,
    )


def _batcher(
    model: TaskModel | Embedding,
    max_length: int,
    max_batch: int,
    release: Release,
    limits: Limits,
    metrics: Metrics,
    threads: int,
) -> Batcher:
    observe = metrics.batches.labels(release.name).observe
    return Batcher(model.infer, max_length, max_batch, limits.max_queue, limits.max_delay, observe, threads)


LOADERS: dict[str, Callable[[Release, Limits, Metrics, int], tuple[Model, Queue]]] = {
    CLASSIFICATION: _task_model,
    EMBEDDING: _embedding,
    GENERATION: _generation,
}
"""By a bundle's form; the threads are batches side by side, or those of a step."""


async def _retire(served: LoadedModel) -> None:
    while served.users:
        await asyncio.sleep(0.05)
    await served.close()
    settle()  # what was loaded before the last time would never be collected
