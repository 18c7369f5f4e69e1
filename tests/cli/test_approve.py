"""cli.approve: a person decides about the challenger, and that is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.approve import approve
from cli.status import show_status
from components import tracking
from components.errors import ArtifactError, ParameterError
from components.registry import DECLINED, Registry
from tests.cli.test_rollback import champion, released


def challenged(task: str, *scores: float) -> Registry:
    """The last of some versions is challenger, each before was champion."""
    registry = released(task, *scores[:-1])
    version = registry.client.create_model_version(task, "nowhere", tags={"macro_f1": f"{scores[-1]:.6f}"})
    registry.set_challenger(task, int(version.version))
    return registry


def test_an_approved_challenger_is_champion(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = challenged("topic", 0.8, 0.9)
    show_status(project)
    assert "; v2 is the challenger: `lianzi approve topic` makes it champion" in capsys.readouterr().out
    assert approve(project, "topic", 2) == (
        "topic v2 is the champion now (macro-F1 0.900000 on the test rows of its run), before it v1"
    )
    assert champion(registry, "topic") == 2
    assert registry.log("topic")[-1].by == "approve"


def test_another_version_than_the_challenger_is_not_approved(project: Path) -> None:
    registry = challenged("topic", 0.8, 0.9)
    for refuse in (None, "rude answers"):
        with pytest.raises(ParameterError, match="topic v1: the challenger is v2\n`lianzi rollback topic --to 1`"):
            approve(project, "topic", 1, refuse)
    assert champion(registry, "topic") == 1


def test_a_declined_challenger_may_be_approved_after_all(project: Path) -> None:
    registry = challenged("topic", 0.8, 0.9)
    assert approve(project, "topic", refuse="rude answers ").startswith("topic v2 was declined: rude answers;")
    with pytest.raises(ArtifactError, match="topic: no challenger\na release that passes"):
        approve(project, "topic")
    assert champion(registry, "topic") == 1
    version = registry.client.create_model_version("topic", "nowhere")
    registry.set_challenger("topic", int(version.version))
    assert approve(project, "topic", 2).endswith("before it v1")
    assert champion(registry, "topic") == 2
    assert DECLINED not in registry.versions("topic")[1].tags
    waiting = registry.challenger("topic")
    assert waiting is not None
    assert waiting.version == 3


def test_without_a_challenger_or_a_reason_nothing_is_decided(project: Path) -> None:
    with pytest.raises(ArtifactError, match="form: no challenger"):
        approve(project, "form")
    with pytest.raises(ParameterError, match="--refuse: no reason"):
        approve(project, "form", refuse=" ")
    with pytest.raises(ParameterError, match="no task 'topik'"):
        approve(project, "topik")
    assert not tracking.store_exists() or Registry().log("form") == []
