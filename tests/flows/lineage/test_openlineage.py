"""A lineage is exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from flows.lineage.openlineage import lineage_events
from flows.lineage.told import lineage_of
from tests.small_lineage import start_of

FACET = {
    "type": "object",
    "required": ["_producer", "_schemaURL"],
    "properties": {"_producer": {"format": "uri"}, "_schemaURL": {"format": "uri"}},
}
FACETS = {"type": "object", "additionalProperties": FACET}
NAMED = {"namespace": {"type": "string"}, "name": {"type": "string"}, "facets": FACETS}
DATASET = {
    "type": "object",
    "required": ["namespace", "name"],
    "properties": NAMED | {"inputFacets": FACETS, "outputFacets": FACETS},
}
RUN_EVENT = {
    "type": "object",
    "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    "properties": {
        "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
        "eventTime": {"format": "date-time"},
        "producer": {"format": "uri"},
        "schemaURL": {"format": "uri"},
        "run": {"required": ["runId"], "properties": {"runId": {"format": "uuid"}, "facets": FACETS}},
        "job": {"required": ["namespace", "name"], "properties": NAMED},
        "inputs": {"type": "array", "items": DATASET},
        "outputs": {"type": "array", "items": DATASET},
    },
}
"""What the specification of OpenLineage (2-0-2) asks of a run event."""


def test_events_are_as_openlineage_asks(run_id: str, tmp_path: Path) -> None:
    graph, key = start_of(tmp_path, "colour@1")
    events = lineage_events(lineage_of(graph, key))
    validator = Draft202012Validator(RUN_EVENT, format_checker=Draft202012Validator.FORMAT_CHECKER)
    assert not [error.message for event in events for error in validator.iter_errors(event)]
    done = {event["job"]["name"]: event for event in events if event["eventType"] == "COMPLETE"}
    assert len(done) * 2 == len(events)
    assert done["make colour@1"]["run"]["runId"].replace("-", "") == run_id
    made: dict[str, Any] = done["make artifacts/tasks/colour"]
    assert made["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 3
    assert [one["name"] for one in made["inputs"]] == ["data: rows"]
