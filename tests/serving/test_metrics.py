from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from components.artifacts import digest
from tests.serving.asking import texts
from tests.small_ladder import Ladder


def samples(client: TestClient) -> dict[tuple[str, ...], float]:
    """(name, values of the labels in the order of their names …) -> value."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in families
        for one in family.samples
    }


def test_requests_batches_queue_and_version_are_measured(client: TestClient, ladder: Ladder) -> None:
    client.post("/v2/models/places/infer", json=texts("ship", "sail", "sea"))
    client.post("/v2/models/places/infer", json={})
    client.get("/v2/models/secret")
    found = samples(client)
    assert found["lianzi_requests_total", "200", "places", "infer", "7"] == 1
    assert found["lianzi_requests_total", "400", "places", "infer", "7"] == 1
    assert found["lianzi_requests_total", "404", "", "model", ""] == 1
    assert found["lianzi_infer_seconds_count", "places", "7"] == 2
    assert found["lianzi_batch_rows_sum", "places"] == 3
    assert found["lianzi_queue_rows", "places"] == 0
    for reason in ("behind", "unwritable"):
        assert found["lianzi_log_dropped_rows_total", reason] == 0
    assert found["lianzi_model_info", digest(ladder.bundle), "places", "7"] == 1
    assert "secret" not in client.get("/metrics").text
