"""flows.predict: the champion or a line that says why there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ArtifactError, ParameterError
from flows.predict import champion_classifier


def test_an_unknown_task_names_those_there_are(project: Path) -> None:
    with pytest.raises(ParameterError, match=r"no task 'zzz' in params\.yaml\nknown: topic, form"):
        champion_classifier(project, "zzz")


def test_without_a_champion_it_says_what_makes_one(project: Path) -> None:
    with pytest.raises(ArtifactError, match="no champion yet\n`lianzi run`"):
        champion_classifier(project, "form")
