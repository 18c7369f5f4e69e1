from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.overload import ALLOWED, QUEUE, ROWS, Overload, overload
from tests.serving.running import running
from tests.small_ladder import Ladder


def test_memory_that_grows_is_not_flat() -> None:
    assert Overload(memory=[100] * 6 + [105] * 6).flat
    assert not Overload(memory=[100] * 6 + [120] * 6).flat


@pytest.mark.slow
def test_five_seconds_of_too_much_give_answers_429_and_503_and_flat_memory(ladder: Ladder, tmp_path: Path) -> None:
    texts = ["ship wave whale tide", "門 市 tower street"] * ROWS
    words = ("--no-access-log", "--max-queue", QUEUE, "--max-rows", ROWS)
    with running(tmp_path, ladder.bundle, *words) as server:
        found = overload(server.port, server.process.pid, "/v2/models/places/infer", texts, 5)
    assert {200, 429} <= set(found.codes) <= ALLOWED
    assert found.unanswered == 0
    assert found.flat, found.line()
