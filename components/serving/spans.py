"""OpenTelemetry spans, if OTEL_EXPORTER_OTLP_ENDPOINT is set; nothing is sent anywhere else."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.errors import ServiceError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def open_tracer() -> Tracer | None:
    """A tracer that exports to the endpoint of the environment; None without one. Raises ServiceError."""
    asked = [name for name in ENDPOINTS if os.environ.get(name)]
    if not asked:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise ServiceError(
            f"{asked[0]} is set, but no exporter is installed",
            "pip install opentelemetry-exporter-otlp-proto-http, or unset it",
        ) from None
    return tracer_to(OTLPSpanExporter())


def tracer_to(exporter: SpanExporter) -> Tracer:
    """A tracer whose spans go to this exporter, in batches from a thread of its own."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": os.environ.get("OTEL_SERVICE_NAME", "lianzi")})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)  # it would wait up to half a minute
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider.get_tracer("lianzi.serving")


def close_tracer(tracer: Tracer, seconds: float) -> bool:
    """Export the waiting spans. Returns whether that ended within these seconds: a collector may not answer."""
    closing = threading.Thread(target=tracer.span_processor.shutdown, daemon=True)  # type: ignore[attr-defined]
    closing.start()
    closing.join(seconds)
    return not closing.is_alive()


def record_span(
    tracer: Tracer, name: str, seconds: float, headers: Mapping[str, str], attributes: Mapping[str, Any]
) -> None:
    """A finished request as a span that ended now, under the caller's trace if `headers` carry a `traceparent`."""
    import time

    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind, Status, StatusCode

    end = time.time_ns()
    span = tracer.start_span(
        name, extract(headers), SpanKind.SERVER, dict(attributes), start_time=end - int(seconds * 1e9)
    )
    if attributes["http.response.status_code"] >= 500:
        span.set_status(Status(StatusCode.ERROR))
    span.end(end)
