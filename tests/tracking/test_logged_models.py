"""components.tracking.logged_models against a real SQLite store."""

from __future__ import annotations

from pathlib import Path

from components import tracking
from components.tracking.inputs import Input
from components.tracking.logged_models import Model, log_models

ROWS = Input("artifacts/tasks/topic/test.jsonl", "0" * 36)


def test_the_same_weights_are_one_model_with_the_metrics_of_every_run_that_evaluated_them(here: Path) -> None:
    client = tracking.connect()
    ids = []
    for score in (0.75, 0.875):
        with tracking.pipeline_run("evaluation", {}) as run:
            model = Model("topic-int8", "rung", "topic/int8/aa", run.id, {"task": "topic"}, {}, {"macro_f1": score})
            ids += [log_models(client, run.id, [model], ROWS)["topic-int8"] for _ in range(2)]
    assert len(set(ids)) == 1
    found = client.get_logged_model(ids[0])
    assert str(found.status) == "READY"
    assert sorted((one.value, one.dataset_digest) for one in found.metrics) == [(0.75, "0" * 36), (0.875, "0" * 36)]
