"""components.registry against a real SQLite store."""

from __future__ import annotations

from pathlib import Path

from components import registry, tracking


def registered(task: str, bundle: str) -> int:
    """A version without a model behind it."""
    client = tracking.connect()
    if not client.search_registered_models(f"name = '{task}'"):
        client.create_registered_model(task)
    return int(client.create_model_version(task, "nowhere", tags={"bundle": bundle}).version)


def test_there_is_no_champion_before_there_is_a_version(here: Path) -> None:
    assert registry.Registry().champion("topic") is None
    registered("topic", "a")
    assert registry.Registry().champion("topic") is None


def test_the_champion_is_the_version_last_set(here: Path) -> None:
    first, second = registered("topic", "a"), registered("topic", "b")
    known = registry.Registry()
    for version, bundle in ((first, "a"), (second, "b"), (first, "a")):
        known.set_champion("topic", version)
        assert known.champion("topic") == registry.Version(version, {"bundle": bundle})


def test_a_version_is_found_by_its_bundle(here: Path) -> None:
    registered("topic", "a")
    second = registered("topic", "b")
    assert registry.Registry().version_of("topic", "b") == second
    assert registry.Registry().version_of("topic", "c") is None
    assert registry.Registry().version_of("form", "b") is None
