from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest

from components.errors import ArtifactError
from components.serving.model_repository import LoadedModel, Release, load
from components.serving.polling import ModelPoller
from components.serving.service import Service
from tests.serving.conftest import LIMITS
from tests.small_ladder import Ladder

COMES = "places: version 8 for 25.0% of texts from now on"


def follow(service: Service, current: Callable[[], Sequence[Release]], until: Callable[[list[str]], bool]) -> list[str]:
    """Follow `current` until `until`, which is given what was said, is true; a minute at most."""
    said: list[str] = []

    async def watch() -> None:
        load_one = partial(load, limits=LIMITS, metrics=service.metrics, threads=1)
        poller = ModelPoller(current, load_one, service.repository, said.append, 0.02)
        poller.start(asyncio.get_running_loop())
        deadline = time.monotonic() + 60
        while not until(said) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        assert await asyncio.to_thread(poller.stop, 60)
        await asyncio.sleep(0.1)  # the loop hears what it was told last

    asyncio.run(watch())
    return said


def test_a_new_champion_takes_over(service: Service, ladder: Ladder) -> None:
    follow(
        service,
        lambda: [Release("places", "8", ladder.bundle)],
        lambda said: service.repository.find("places").version == "8",
    )
    assert service.repository.find("places").version == "8"
    service.repository.find("places").batcher.close()


def test_the_same_champion_is_not_loaded_again(service: Service, ladder: Ladder) -> None:
    before = service.repository.find("places")
    asked = []

    def current() -> list[Release]:
        asked.append(1)
        return [Release("places", "7", ladder.bundle)]

    assert follow(service, current, lambda said: len(asked) > 3) == []
    assert service.repository.find("places") is before


def test_what_cannot_be_loaded_or_asked_leaves_the_present_model_and_is_told_once(
    service: Service, tmp_path: Path
) -> None:
    asked = []

    def current() -> list[Release]:
        asked.append(1)
        if len(asked) > 5:
            raise OSError("the registry is away")
        return [Release("places", "8", tmp_path)]

    said = follow(service, current, lambda said: len(asked) > 8)
    assert len(said) == 2
    assert "no bundle here; the present models stay" in said[0]
    assert "OSError: the registry is away; the present models stay" in said[1]
    assert service.repository.find("places").version == "7"


def test_a_registry_that_comes_back_is_followed_again(service: Service, ladder: Ladder) -> None:
    asked = []

    def current() -> list[Release]:
        asked.append(1)
        if len(asked) < 3:
            raise ArtifactError("away")
        return [Release("places", "9", ladder.bundle)]

    said = follow(service, current, lambda said: "version 9" in said[-1] if said else False)
    assert said[-1] == "places: version 9 from now on"
    service.repository.find("places").batcher.close()


def test_one_that_cannot_be_loaded_keeps_no_other_from_its_turn_and_is_not_tried_at_every_poll(
    service: Service, ladder: Ladder, tmp_path: Path
) -> None:
    asked, tried = [], []

    def current() -> list[Release]:
        asked.append(1)
        return [Release("broken", "1", tmp_path), Release("places", "9", ladder.bundle)]

    def counting(release: Release) -> LoadedModel:
        tried.append(release.name)
        return load(release, limits=LIMITS, metrics=service.metrics, threads=1)

    said: list[str] = []
    poller = ModelPoller(current, counting, service.repository, said.append, 0.02)

    async def watch() -> None:
        poller.start(asyncio.get_running_loop())
        async with asyncio.timeout(20):
            while service.repository.find("places").version != "9" or len(asked) < 9:
                await asyncio.sleep(0.02)
        assert await asyncio.to_thread(poller.stop, 10)

    asyncio.run(watch())
    assert tried.count("broken") == 1
    assert [line for line in said if "the present models stay" in line] == said[:1]
    service.repository.find("places").batcher.close()


def test_an_error_without_words_is_told_by_its_kind(service: Service) -> None:
    def current() -> list[Release]:
        raise ArtifactError("")

    said = follow(service, current, lambda said: bool(said))
    assert said == ["champions: ArtifactError; the present models stay"]


def test_a_canary_comes_and_ends(service: Service, ladder: Ladder) -> None:
    service.repository.share = 0.25
    champion, canary = Release("places", "7", ladder.bundle), Release("places", "8", ladder.bundle, canary=True)
    seen: list[int] = []

    def current() -> list[Release]:
        there = "places" in service.repository.canaries
        seen.extend([1] * there)
        return [champion] if seen else [champion, canary]

    said = follow(service, current, lambda said: len(said) > 1 and not service.repository.canaries)
    # At so short an interval the loop may not have heard yet what is said again.
    assert set(said) == {COMES, "places: no canary from now on"}
    assert service.repository.find("places").version == "7"


def test_a_canary_ends_though_the_next_one_cannot_be_loaded(service: Service, ladder: Ladder, tmp_path: Path) -> None:
    service.repository.share = 0.25
    champion = Release("places", "7", ladder.bundle)
    seen: list[int] = []

    def current() -> list[Release]:
        seen.extend([1] * ("places" in service.repository.canaries))
        return [champion, Release("places", *(("9", tmp_path) if seen else ("8", ladder.bundle)), canary=True)]

    said = follow(service, current, lambda said: len(set(said)) > 2 and not service.repository.canaries)
    assert not service.repository.canaries
    complaints = [line for line in said if "no bundle here" in line]
    # The champion, which is well at every poll, does not make the poller say it again.
    assert len(complaints) == 1
    assert set(said) == {COMES, "places: no canary from now on", *complaints}


def test_a_challenger_of_another_shape_is_no_canary(
    service: Service, ladder: Ladder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LoadedModel, "like", lambda self, other: False)
    canary = Release("places", "8", ladder.bundle, canary=True)
    said = follow(service, lambda: [Release("places", "7", ladder.bundle), canary], lambda said: bool(said))
    assert "places: version 8 answers nothing: a canary needs the champion's inputs, outputs and labels" in said[0]
    assert not service.repository.canaries
