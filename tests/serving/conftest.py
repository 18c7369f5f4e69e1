"""A service over the small bundle, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from components.serving.app import make_app
from components.serving.catalogue import Release, Served, load
from components.serving.classification import Classification
from components.serving.limits import Limits
from components.serving.service import Service
from tests.small_ladder import Ladder

LIMITS = Limits(max_queue=64, max_rows=16, max_body=20_000, max_text=500, timeout=20)


@pytest.fixture(scope="session")
def model(ladder: Ladder) -> Classification:
    return Classification.load(ladder.bundle)


@dataclass(frozen=True)
class Generators:
    """Bundles `letters`, which generates, and `meanings`, which embeds."""

    letters: Path
    meanings: Path


@pytest.fixture(scope="session")
def generators(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Generators:
    from tests.small_generators import small_decoder, small_encoder

    root = tmp_path_factory.mktemp("generators")
    return Generators(small_decoder(root, tokenizer_folder), small_encoder(root, tokenizer_folder))


@pytest.fixture
def make_service() -> Iterator[Callable[[Path, Limits], Service]]:
    """Makes services that answer as `places`, and ends their threads."""
    made: list[Served] = []

    def make(bundle: Path, limits: Limits = LIMITS) -> Service:
        service = Service(limits)
        served = load(Release("places", "7", bundle), limits, service.measures, threads=1)
        service.catalogue.put(served)
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
