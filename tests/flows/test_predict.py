"""flows.predict: the champion or a line that says why there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from components import registry, tracking
from components.deployment.signing import make_keys, sign_bundle
from components.errors import ArtifactError, ParameterError
from flows.predict import champion_classifier
from tests.small_ladder import Ladder


def test_an_unknown_task_names_those_there_are(project: Path) -> None:
    with pytest.raises(ParameterError, match=r"no task 'zzz' in params\.yaml\nknown: topic, form"):
        champion_classifier(project, "zzz")


def test_without_a_champion_it_says_what_makes_one(project: Path) -> None:
    with pytest.raises(ArtifactError, match="no champion yet\n`lianzi run`"):
        champion_classifier(project, "form")


def test_with_a_public_key_only_what_it_signed_answers(
    project: Path, ladder: Ladder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry is a stand-in: what is tested is what becomes of the bundle that it names."""
    bundle, public = shutil.copytree(ladder.bundle, tmp_path / "signed"), make_keys(tmp_path / "key")
    monkeypatch.setattr(tracking, "store_exists", lambda: True)
    for name, answer in (("__init__", None), ("champion", registry.Version(1, {})), ("bundle", bundle)):
        monkeypatch.setattr(registry.Registry, name, lambda *_, answer=answer: answer)
    with pytest.raises(ArtifactError, match="not signed"):
        champion_classifier(project, "form", public)
    sign_bundle(bundle, tmp_path / "key")
    assert champion_classifier(project, "form", public).predict(["ship wave"])[0].label == "sea"
