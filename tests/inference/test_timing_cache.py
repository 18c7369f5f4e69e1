from __future__ import annotations

from pathlib import Path

import pytest

from components.inference.nvidia import Host
from components.inference.timing_cache import TimingCache, engines_root

HOST = Host("NVIDIA Test", "9.0", "13.1", "580.65.06")


class Cache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content


class Config:
    """A builder's configuration; it takes the caches that begin with `takes`, and adds a timing to the one it has."""

    def __init__(self, takes: bytes = b"") -> None:
        self.takes = takes
        self.cache: Cache | None = None

    def create_timing_cache(self, content: bytes) -> Cache:
        return Cache(content)

    def set_timing_cache(self, cache: Cache, ignore_mismatch: bool) -> bool:
        assert not ignore_mismatch
        fits = not cache.content or cache.content.startswith(self.takes)
        self.cache = cache if fits else None
        return fits

    def get_timing_cache(self) -> Cache | None:
        return self.cache and Cache(self.cache.content + b"timing;")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path))


def test_timings_are_kept_from_one_build_to_the_next() -> None:
    timings = TimingCache.of(HOST, "11.4.0", ())
    for _ in range(2):
        config = Config()
        timings.attach(config)
        timings.keep(config)
    assert timings.path.read_bytes() == b"timing;timing;"
    assert timings.path.is_relative_to(engines_root())
    assert list(timings.path.parent.iterdir()) == [timings.path]


def test_timings_of_another_machine_version_or_flag_are_another_file() -> None:
    others = [
        (Host("NVIDIA Other", "9.0", "13.1"), "11.4.0", ()),
        (Host("NVIDIA Test", "8.9", "13.1"), "11.4.0", ()),
        (Host("NVIDIA Test", "9.0", "13.0"), "11.4.0", ()),
        (HOST, "11.3.0", ()),
        (HOST, "11.4.0", ("refit",)),
    ]
    paths = {TimingCache.of(HOST, "11.4.0", ()).path, *(TimingCache.of(*other).path for other in others)}
    assert len(paths) == len(others) + 1


def test_timings_that_are_not_taken_are_begun_anew() -> None:
    timings = TimingCache.of(HOST, "11.4.0", ())
    timings.path.parent.mkdir(parents=True)
    timings.path.write_bytes(b"damaged")
    config = Config(takes=b"timing")
    timings.attach(config)
    timings.keep(config)
    assert timings.path.read_bytes() == b"timing;"
