"""What Prometheus reads from /metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from components.serving.request_log import REASONS

if TYPE_CHECKING:
    from components.serving.model_repository import ModelRepository

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
LONG_SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The counters of one server, in a registry of its own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, repository: ModelRepository) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "lianzi_requests", "Requests answered.", ["route", "model", "version", "code"], registry=self._registry
        )
        self.seconds = Histogram(
            "lianzi_infer_seconds",
            "From an infer request's first byte to its answer.",
            ["model", "version"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.batches = Histogram(
            "lianzi_batch_rows", "Rows that went through a model together.", ["model"], buckets=ROWS,
            registry=self._registry,
        )  # fmt: skip
        self.prompted = Counter(
            "lianzi_prompt_tokens", "Tokens of prompts and of texts to embed.", ["model"], registry=self._registry
        )
        self.generated = Counter("lianzi_generated_tokens", "Tokens generated.", ["model"], registry=self._registry)
        self.unlogged = Counter(
            "lianzi_log_dropped_rows",
            "Rows that the request log left out, being behind or its file unwritable.",
            ["reason"],
            registry=self._registry,
        )
        for reason in REASONS:  # so that they are there, at 0, before the first is lost
            self.unlogged.labels(reason)
        self.first_token = Histogram(
            "lianzi_first_token_seconds",
            "From a request's first byte to its first token.",
            ["model", "version"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self.generation_seconds = Histogram(
            "lianzi_generation_seconds",
            "From a request's first byte to its last token.",
            ["model", "version"],
            buckets=LONG_SECONDS,
            registry=self._registry,
        )
        self._registry.register(_Present(repository))

    def page(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


class _Present:
    """Gauges of what is served at the moment of asking."""

    def __init__(self, repository: ModelRepository) -> None:
        self._repository = repository

    def collect(self) -> Iterable[Any]:
        queue = GaugeMetricFamily("lianzi_queue_rows", "Rows that wait for a batch.", labels=["model"])
        info = GaugeMetricFamily(
            "lianzi_model_info", "The version that answers.", labels=["model", "version", "bundle"]
        )
        active = GaugeMetricFamily("lianzi_active_rows", "Rows that a generator is at.", labels=["model"])
        share = GaugeMetricFamily(
            "lianzi_canary_share", "Of the texts that go to a canary.", labels=["model", "version"]
        )
        for served in list(self._repository.models.values()):
            queue.add_metric([served.name], served.batcher.waiting)
            info.add_metric([served.name, served.version, served.digest], 1)
            active.add_metric([served.name], getattr(served.batcher, "active", 0))
        for canary in list(self._repository.canaries.values()):
            share.add_metric([canary.name, canary.version], self._repository.share)
        return [queue, active, info, share]
