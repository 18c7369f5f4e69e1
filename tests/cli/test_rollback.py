"""cli.rollback: the champion before this one, told and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.rollback import roll_back
from components import tracking
from components.errors import ArtifactError, ParameterError
from components.registry import Registry


def released(task: str, *scores: float) -> Registry:
    """A version for each score, every one champion in its turn."""
    client = tracking.connect()
    client.create_registered_model(task)
    registry = Registry()
    for score in scores:
        version = client.create_model_version(task, "nowhere", tags={"macro_f1": f"{score:.6f}"})
        registry.set_champion(task, int(version.version))
    return registry


def champion(registry: Registry, task: str) -> int:
    found = registry.champion(task)
    assert found is not None
    return found.version


def test_the_champion_before_answers_again_and_is_told(project: Path) -> None:
    registry = released("topic", 0.8, 0.9)
    told = roll_back(project, "topic")
    assert told.startswith(
        "topic v1 is the champion again (macro-F1 0.800000 on the test rows of its run); v2 was rolled"
    )
    assert champion(registry, "topic") == 1


def test_the_next_rollback_goes_one_further_back(project: Path) -> None:
    registry = released("topic", 0.7, 0.8, 0.9)
    roll_back(project, "topic")
    roll_back(project, "topic")
    assert champion(registry, "topic") == 1
    with pytest.raises(ArtifactError, match=r"no version was champion before v1\n`--to VERSION`.*v3 \(rolled back\)"):
        roll_back(project, "topic")


def test_a_version_is_taken_by_its_number(project: Path) -> None:
    registry = released("topic", 0.7, 0.8, 0.9)
    roll_back(project, "topic", 1)
    roll_back(project, "topic", 3)
    assert champion(registry, "topic") == 3


@pytest.mark.parametrize(
    ("version", "told"), [(2, "topic v2: is the champion already"), (9, "topic v9: no such version")]
)
def test_a_version_that_cannot_be_taken_is_refused(project: Path, version: int, told: str) -> None:
    released("topic", 0.7, 0.8)
    with pytest.raises(ParameterError, match=f"{told}\nregistered: v2, v1"):
        roll_back(project, "topic", version)


def test_without_a_champion_there_is_nothing_to_go_back_to(project: Path) -> None:
    with pytest.raises(ArtifactError, match="form: no champion yet"):
        roll_back(project, "form")
    with pytest.raises(ParameterError, match=r"no task 'topik' in params\.yaml\ndid you mean 'topic'"):
        roll_back(project, "topik")
