"""components.versions: what MLflow answers, and what the rows of its store do."""

from __future__ import annotations

from pathlib import Path

import pytest

from components import tracking
from components.registry import Registry, known_versions
from components.versions import REFUSED, StoredVersions

TASKS = ("topic", "form", "never_released")


def register(task: str, versions: int) -> None:
    client = tracking.connect()
    client.create_registered_model(task)
    for number in range(versions):
        client.create_model_version(task, "nowhere", tags={"bundle": f"{task}{number}"})


def assert_alike(here: Path) -> None:
    """The rows answer as MLflow's client does."""
    rows, asked = known_versions(), Registry()
    assert isinstance(rows, StoredVersions)
    for task in TASKS:
        assert rows.champion(task) == asked.champion(task)
        assert rows.challenger(task) == asked.challenger(task)
        assert rows.refusal(task) == asked.refusal(task)
        assert rows.versions(task) == asked.versions(task)


def test_the_rows_of_the_store_answer_as_mlflow_does(here: Path) -> None:
    assert_alike(here)
    register("topic", 12)
    register("form", 1)
    assert_alike(here)
    known = Registry()
    known.set_champion("topic", 3)
    known.set_challenger("topic", 10)
    known.refuse("topic", 12, "loses 0.2 macro-F1 to its teacher")
    assert known_versions().refusal("topic") == "v12 was refused: loses 0.2 macro-F1 to its teacher"
    assert [one.version for one in known_versions().versions("topic")] == [*range(12, 0, -1)]
    assert_alike(here)
    known.set_champion("topic", 10)
    assert_alike(here)


def test_a_deleted_version_is_none(here: Path) -> None:
    register("topic", 2)
    Registry().set_champion("topic", 2)
    tracking.connect().delete_model_version("topic", "2")
    assert known_versions().champion("topic") is None
    assert_alike(here)


def test_a_server_is_asked_itself(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register("topic", 1)
    tracking.connect().set_model_version_tag("topic", "1", REFUSED, "why not")
    monkeypatch.setattr("components.registry.stored_versions", lambda: None)
    asked = known_versions()
    assert isinstance(asked, Registry)
    assert asked.refusal("topic") == "v1 was refused: why not"
