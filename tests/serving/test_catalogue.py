from __future__ import annotations

import asyncio
import dataclasses

import pytest

from components.serving.catalogue import Catalogue, Release, Served, load
from components.serving.refusal import Refusal
from components.serving.service import Service
from tests.serving.conftest import LIMITS
from tests.small_ladder import Ladder


@pytest.fixture
def served(service: Service) -> Served:
    return service.catalogue.models["places"]


def test_a_model_is_found_with_and_without_its_version(served: Served) -> None:
    catalogue = Catalogue({"places": served})
    assert catalogue.find("places") is catalogue.find("places", "7") is served
    for name, version in (("moods", None), ("places", "8")):
        with pytest.raises(Refusal, match="served") as refused:
            catalogue.find(name, version)
        assert refused.value.status == 404


def test_an_exchanged_model_ends_once_its_last_request_is_done(
    served: Served, ladder: Ladder, service: Service
) -> None:
    async def exchange() -> None:
        catalogue = Catalogue({"places": served})
        after = load(Release("places", "8", ladder.bundle), LIMITS, service.measures, threads=1)
        with catalogue.lease("places", None) as held:
            retiring = catalogue.put(after)
            assert retiring is not None
            assert catalogue.find("places").version == "8"
            await asyncio.sleep(0.2)
            assert not retiring.done()
            # The request that came before the exchange is answered by the model that it was given.
            assert (await held.batcher.submit([[1, 5, 2]])).shape == (1, 3)
        await asyncio.wait_for(retiring, 5)
        served.batcher.join(5)
        assert not any(thread.is_alive() for thread in served.batcher._threads)
        after.batcher.close()

    asyncio.run(exchange())


def test_the_trace_names_version_and_bundle(served: Served) -> None:
    other = dataclasses.replace(served, version="8")
    assert other.trace == f"model=places;version=8;bundle={served.digest}"
