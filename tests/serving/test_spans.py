from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer
from starlette.testclient import TestClient

from components.errors import ServiceError
from components.serving import spans
from components.serving.app import make_app
from components.serving.service import Service
from tests.serving.asking import texts
from tests.serving.scripted import ScriptedGenerator, serve_scripted

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_nothing_is_traced_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in spans.ENDPOINTS:
        monkeypatch.delenv(name, raising=False)
    assert spans.open_tracer() is None


def test_a_missing_exporter_is_told_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(ServiceError, match="no exporter is installed\npip install"):
        spans.open_tracer()


def test_a_request_is_a_span_under_its_callers_trace(service: Service) -> None:
    exporter = InMemorySpanExporter()
    tracer = spans.tracer_to(exporter)
    with TestClient(make_app(service, print, tracer=tracer)) as client:
        client.post(
            "/v2/models/places/infer",
            json=texts("secret ship"),
            headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-request-id": "mine"},
        )
    tracer.span_processor.force_flush()  # type: ignore[attr-defined]
    (span,) = exporter.get_finished_spans()
    assert span.name == "POST infer"
    assert f"{span.context.trace_id:032x}" == TRACE
    assert span.attributes["lianzi.model"] == "places"
    assert span.attributes["lianzi.version"] == "7"
    assert span.attributes["lianzi.rows"] == 1
    assert span.attributes["http.response.status_code"] == 200
    assert span.end_time > span.start_time
    assert "secret" not in span.to_json()


def test_the_span_of_a_stream_ends_with_it_and_counts_its_tokens(service: Service) -> None:
    exporter = InMemorySpanExporter()
    tracer = spans.tracer_to(exporter)
    generator = ScriptedGenerator()
    generator.go.set()
    with TestClient(make_app(service, print, tracer=tracer)) as client:
        served = serve_scripted(service, generator)
        client.post("/v1/completions", json={"model": "echo", "prompt": "ab", "max_tokens": 3, "stream": True})
    tracer.span_processor.force_flush()  # type: ignore[attr-defined]
    (span,) = exporter.get_finished_spans()
    assert span.name == "POST completions"
    assert (span.attributes["lianzi.model"], span.attributes["lianzi.tokens"]) == ("echo", 3)
    for one in served:
        one.batcher.close()


def span_to(exporter: SpanExporter) -> Tracer:
    tracer = spans.tracer_to(exporter)
    spans.record_span(tracer, "GET live", 0.1, {}, {"http.response.status_code": 200})
    return tracer


def test_spans_that_wait_are_exported_at_the_end() -> None:
    exporter = InMemorySpanExporter()
    assert spans.close_tracer(span_to(exporter), 10)
    assert [span.name for span in exporter.get_finished_spans()] == ["GET live"]


def test_a_collector_that_does_not_answer_does_not_keep_the_server() -> None:
    go = threading.Event()

    class Silent(SpanExporter):
        def export(self, batch: Sequence[ReadableSpan]) -> SpanExportResult:
            go.wait(20)
            return SpanExportResult.FAILURE

    assert not spans.close_tracer(span_to(Silent()), 0.2)
    go.set()
