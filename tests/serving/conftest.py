"""A service over the small bundle, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from components.serving.app import make_app
from components.serving.limits import Limits
from components.serving.model_repository import LoadedModel, Release, load
from components.serving.service import Service
from components.serving.task_model import TaskModel
from tests.made_once import made_once
from tests.small_artifacts import sentences
from tests.small_ladder import Ladder

LIMITS = Limits(max_queue=64, max_rows=16, max_body=20_000, max_text=500, timeout=20)


@pytest.fixture(scope="session")
def model(ladder: Ladder) -> TaskModel:
    return TaskModel.load(ladder.bundle)


@dataclass(frozen=True)
class Generators:
    """Bundles `letters`, which generates, and `meanings`, which embeds."""

    letters: Path
    meanings: Path


@pytest.fixture(scope="session")
def generators(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Generators:
    kinds = {"letters": "gpt2", "meanings": "modernbert"}

    def make(root: Path) -> None:
        for name, kind in kinds.items():
            language_bundle(root / name, kind, tokenizer_folder)

    root = made_once(tmp_path_factory, "generators", make)
    return Generators(**{name: root / name / "bundle" for name in kinds})


def language_bundle(folder: Path, kind: str, tokenizer: Path) -> Path:
    """A bundle of a small language model under the name of its folder."""
    from components.deployment.folder_bundle import BundleOptions, make_bundle
    from tests.small_language_bundles import LIMITS as GATE
    from tests.small_language_models import small_model_folder

    options = BundleOptions(rungs=("fp32",), max_batch=4, max_length=48, measure=False)
    model = small_model_folder(folder / kind, kind, tokenizer)
    texts = [text for text, _ in sentences(40, seed=9)]
    make_bundle(model, folder / "bundle", texts, options, GATE, folder.name, lambda line: None)
    return folder / "bundle"


@pytest.fixture
def make_service() -> Iterator[Callable[[Path, Limits], Service]]:
    """Makes services that answer as `places`, and ends their threads."""
    made: list[LoadedModel] = []

    def make(bundle: Path, limits: Limits = LIMITS) -> Service:
        service = Service(limits)
        served = load(Release("places", "7", bundle), limits, service.metrics, threads=1)
        service.repository.put(served)
        made.append(served)
        return service

    yield make
    for served in made:
        served.batcher.close()


@pytest.fixture
def service(make_service: Callable[[Path, Limits], Service], ladder: Ladder) -> Service:
    return make_service(ladder.bundle, LIMITS)


@pytest.fixture
def said() -> list[str]:
    """The lines of the access log."""
    return []


@pytest.fixture
def client(service: Service, said: list[str]) -> Iterator[TestClient]:
    with TestClient(make_app(service, said.append)) as opened:
        yield opened
