"""Work on many items: in order, whatever the workers; a worker that is killed loses nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from components.engine import IN_FLIGHT, InProcess, LocalEngine, open_engine
from components.errors import DataError, LianziError, ParameterError


@pytest.fixture
def engine() -> Iterator[LocalEngine]:
    two = LocalEngine(2)
    yield two
    two.close()


def doubled(number: int) -> int:
    return 2 * number


def killed_once(folder: Path, number: int) -> int:
    """Ends its process by SIGKILL the first time it gets the number 3."""
    mark = folder / "killed"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def always_killed(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def refused(number: int) -> int:
    raise DataError(f"row {number} is bad")


def test_results_come_in_the_order_of_the_items(engine: LocalEngine) -> None:
    assert list(engine.map(doubled, range(20))) == [2 * number for number in range(20)]


def test_items_are_read_only_a_little_ahead(engine: LocalEngine) -> None:
    taken: list[int] = []
    results = engine.map(doubled, (taken.append(number) or number for number in range(100)))  # type: ignore[func-returns-value]
    next(results)
    assert len(taken) <= IN_FLIGHT * engine.workers


def test_a_killed_worker_is_replaced_and_nothing_is_lost(engine: LocalEngine, tmp_path: Path) -> None:
    assert list(engine.map(partial(killed_once, tmp_path), range(12))) == list(range(12))
    assert (tmp_path / "killed").exists()


def test_an_item_that_always_kills_its_worker_ends_the_work_with_advice(engine: LocalEngine) -> None:
    with pytest.raises(LianziError, match=r"a worker died 3 times .*\n.*LIANZI_WORKERS=1"):
        list(engine.map(always_killed, range(12)))


def test_what_the_function_raises_arrives_here(engine: LocalEngine) -> None:
    with pytest.raises(DataError, match="row 0 is bad"):
        list(engine.map(refused, range(3)))


def test_one_worker_is_the_process_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_WORKERS", "1")
    with open_engine() as engine:
        assert isinstance(engine, InProcess)
        assert list(engine.map(doubled, [1, 2])) == [2, 4]


@pytest.mark.parametrize("value", ["0", "many", "-1"])
def test_a_number_of_workers_that_is_none_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIANZI_WORKERS", value)
    with pytest.raises(ParameterError, match=f"LIANZI_WORKERS={value}: not a number"), open_engine():
        pass
