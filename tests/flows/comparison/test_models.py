"""flows.comparison.models: bundles out of DVC's cache. How they are compared, tests/test_small_pipeline.py shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components import tracking
from components.artifacts import digest, write_json, write_manifest
from components.evaluation.metrics import Bootstrap
from components.registry import BUNDLE
from components.runtime.manifest import SPEED_FILE, shipped_rung
from components.tasks.classification import Classification
from flows.comparison.models import add_timings, beside_first, fetched, sentences, tasks_of, told_of, unlike
from flows.reproduction.outputs import Recorded
from tests.flows.reproduction.test_outputs import folder
from tests.small_bundles import CLASSIFIER, bundle
from tests.small_store import copy_store


def test_a_recorded_folder_is_laid_out_whole_or_a_part_of_it(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "cache", lambda _: None)
    out = {"path": "rows", "md5": folder(tmp_path / "cache", **{"topic/test": b"1\n", "form/test": b"2\n"})}
    assert fetched(out, recorded, tmp_path / "rows", "topic/")
    assert [path.relative_to(tmp_path / "rows").as_posix() for path in (tmp_path / "rows").rglob("*")] == ["test.txt"]


def test_a_folder_that_the_cache_lacks_is_said_to_be_missing(tmp_path: Path) -> None:
    recorded = Recorded(tmp_path / "cache", lambda _: None)
    assert not fetched({"path": "rows", "md5": "0" * 32 + ".dir"}, recorded, tmp_path / "rows")


def test_tasks_are_those_with_a_bundle() -> None:
    bundle = {"path": "artifacts/topic/bundle", "md5": "1"}
    lock = {"build@topic": {"outs": [bundle]}, "curate": {"outs": [{"path": "artifacts/tasks", "md5": "2"}]}}
    assert tasks_of(lock) == {"topic": bundle}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ""),
        ({"labels": ["city", "river", "sea"]}, "other labels"),
        ({"task_kind": "multi_label", "threshold": 0.5}, "another kind"),
    ],
)
def test_models_with_other_labels_are_not_compared_by_the_numbers_of_labels(
    tmp_path: Path, changed: dict[str, Any], told: str
) -> None:
    (tmp_path / "rows").mkdir()
    write_manifest(tmp_path / "rows", "task", {}, labels=CLASSIFIER["labels"], task_kind="classification")
    reason = unlike(bundle(tmp_path / "first", CLASSIFIER | changed), tmp_path / "rows")
    assert told in reason
    assert bool(told) == bool(reason)


def test_a_bundle_that_cannot_be_read_is_left_out_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    assert "cannot be read" in unlike(tmp_path / "nothing", tmp_path / "rows")


def test_a_registered_bundle_answers_with_the_rung_that_was_released(
    tmp_path: Path, mlflow_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_store(mlflow_store, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    fetched_bundle = bundle(tmp_path / "fetched", CLASSIFIER)
    released = bundle(tmp_path / "model" / BUNDLE, CLASSIFIER)
    write_json(released / SPEED_FILE, {"bundle": digest(released), "shipped": "fp32"})
    client = tracking.connect()
    client.create_registered_model("places")
    client.create_model_version("places", str(tmp_path / "model"), tags={"bundle": digest(fetched_bundle)})
    assert shipped_rung(fetched_bundle, CLASSIFIER) == "int8"
    add_timings("places", fetched_bundle)
    assert shipped_rung(fetched_bundle, CLASSIFIER) == "fp32"


@pytest.fixture
def bootstrap() -> Bootstrap:
    return Bootstrap(Classification(("a", "b")), np.arange(200) % 2, 200, 0.95, 0)


def answers(bootstrap: Bootstrap, wrong: int) -> np.ndarray:
    """Those of a model that is wrong about the first rows."""
    found = bootstrap.targets.copy()
    found[:wrong] = 1 - found[:wrong]
    return found


def test_others_are_beside_the_first_by_every_metric_in_a_line_each(bootstrap: Bootstrap) -> None:
    systems = {"v1": answers(bootstrap, 20), "v2": answers(bootstrap, 80), "v3": answers(bootstrap, 20)}
    worse, same = sentences(beside_first(bootstrap, 0.95, {name: [one] for name, one in systems.items()}))
    assert worse.startswith("v2 beside v1: worse in macro-F1: -0.3")
    assert "worse in accuracy" in worse
    assert "as one of 2 comparisons" in worse
    assert same == "v3 beside v1: no difference: the same answers to all 200 rows"


def test_seeds_of_one_configuration_have_a_mean_and_a_spread_and_are_compared_together(bootstrap: Bootstrap) -> None:
    shipped = {
        f"{name}{seed}": answers(bootstrap, wrong + seed) for name, wrong in (("a", 20), ("b", 80)) for seed in (1, 2)
    }
    _, told = told_of(bootstrap, 0.95, shipped, [["a1", "a2"], ["b1", "b2"]])
    assert told[0].startswith("a2 beside a1: no difference shown in macro-F1: -0.005")
    assert told[3].startswith("2 seeds of one configuration (a1, a2): macro-F1 0.892")
    assert "accuracy 0.8925 ± 0.0035" in told[3]
    assert told[5].startswith("b1, b2 beside a1, a2: worse in macro-F1: -0.3")
