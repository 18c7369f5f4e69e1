from __future__ import annotations

import asyncio
import dataclasses

import pytest

from components.serving.model_repository import LoadedModel, ModelRepository, Release, load
from components.serving.request_error import RequestError
from components.serving.service import Service
from components.serving.task_model import TaskModel
from tests.serving.conftest import LIMITS
from tests.small_ladder import Ladder


@pytest.fixture
def served(service: Service) -> LoadedModel:
    return service.repository.models["places"]


def test_a_model_is_found_with_and_without_its_version(served: LoadedModel) -> None:
    repository = ModelRepository({"places": served})
    assert repository.find("places") is repository.find("places", "7") is served
    for name, version in (("moods", None), ("places", "8")):
        with pytest.raises(RequestError, match="served") as refused:
            repository.find(name, version)
        assert refused.value.status == 404


def test_an_exchanged_model_ends_once_its_last_request_is_done(
    served: LoadedModel, ladder: Ladder, service: Service
) -> None:
    async def exchange() -> None:
        repository = ModelRepository({"places": served})
        after = load(Release("places", "8", ladder.bundle), LIMITS, service.metrics, threads=1)
        with repository.lease("places", None) as held:
            retiring = repository.put(after)
            assert retiring is not None
            assert repository.find("places").version == "8"
            await asyncio.sleep(0.2)
            assert not retiring.done()
            # The request that came before the exchange is answered by the model that it was given.
            (row,) = await held.batcher.submit([[1, 5, 2]])
            assert row["logits"].shape == (3,)
        await asyncio.wait_for(retiring, 5)
        served.batcher.join(5)
        assert not any(thread.is_alive() for thread in served.batcher._threads)
        after.batcher.close()

    asyncio.run(exchange())


def test_a_model_whose_labels_have_another_order_is_not_like_it(
    served: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert served.like(served)
    assert isinstance(served.model, TaskModel)
    other = dataclasses.replace(served, model=dataclasses.replace(served.model))
    described = served.model.describe()
    turned = described | {"labels": described["labels"][::-1]}
    monkeypatch.setattr(TaskModel, "describe", lambda self: described if self is served.model else turned)
    assert not other.like(served)


def test_the_trace_names_version_and_bundle(served: LoadedModel) -> None:
    other = dataclasses.replace(served, version="8")
    assert other.trace == f"model=places;version=8;bundle={served.digest}"
