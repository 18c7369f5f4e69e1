"""components.champions: the champion found without MLflow, or left to MLflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from components import tracking
from components.champions import champion_bundle
from components.registry import Registry, bundle_of_champion
from tests.small_bundles import CLASSIFIER, bundle
from tests.small_store import copy_store


def champion_in(folder: Path, task: str = "places") -> Path:
    """A registered version whose model lies in `folder`, made champion. Returns the folder of its bundle."""
    client = tracking.connect()
    client.create_registered_model(task)
    made = bundle(folder / "data" / "bundle", CLASSIFIER)
    version = client.create_model_version(task, folder.as_uri())
    Registry().set_champion(task, int(version.version))
    return made


def test_the_champions_bundle_is_the_one_that_mlflow_names(here: Path) -> None:
    made = champion_in(here / "mlflow" / "artifacts" / "model")
    assert champion_bundle("places") == made == Registry().bundle("places", 1)


def test_a_new_champion_is_seen_at_once(here: Path) -> None:
    champion_in(here / "mlflow" / "artifacts" / "one")
    folder = here / "mlflow" / "artifacts" / "two"
    second = bundle(folder / "data" / "bundle", CLASSIFIER)
    version = tracking.connect().create_model_version("places", folder.as_uri())
    Registry().set_champion("places", int(version.version))
    assert champion_bundle("places") == second


def test_mlflow_is_not_imported_for_it(here: Path) -> None:
    champion_in(here / "mlflow" / "artifacts" / "model")
    program = (
        "import sys; from components.registry import bundle_of_champion; assert bundle_of_champion('places');"
        "print(sorted({'mlflow', 'torch', 'transformers', 'pandas'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "[]"


def test_what_it_cannot_tell_is_left_to_mlflow(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert champion_bundle("places") is None
    made = champion_in(tmp_path_factory.mktemp("elsewhere") / "model")
    assert champion_bundle("places") is None
    assert bundle_of_champion("places") == made
    assert bundle_of_champion("form") is None
    (here / "mlflow" / "mlflow.db").write_bytes(b"no database")
    assert champion_bundle("places") is None
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert champion_bundle("places") is None


def test_a_copied_project_does_not_answer_with_the_originals_model(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion_in(here / "mlflow" / "artifacts" / "model")
    copy = tmp_path_factory.mktemp("copy")
    copy_store(here / "mlflow", copy)
    monkeypatch.chdir(copy)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow itself sets it
    found = bundle_of_champion("places")
    assert found is not None
    assert found.is_relative_to(copy)
