"""flows.scheduling.admission: which of several runs does the work. On a real server: test_schedule_mends_itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from flows.scheduling.admission import _began_since

NIGHT = datetime(2026, 1, 1, 2, tzinfo=UTC)
SCHEDULE, OTHER = uuid4(), uuid4()


def run(began: int | None, schedule: Any = SCHEDULE, scheduled: bool = True) -> Any:
    """A flow run for that night which began so many hours later."""
    start = None if began is None else NIGHT + timedelta(hours=began)
    return SimpleNamespace(
        id=uuid4(),
        deployment_id=uuid4(),
        auto_scheduled=scheduled,
        created_by=SimpleNamespace(id=schedule),
        expected_start_time=NIGHT,
        start_time=start,
    )


def stands_for(mine: Any, *others: Any) -> datetime | None:
    client: Any = SimpleNamespace(read_flow_runs=lambda **_: [mine, *others])
    return _began_since(client, mine)


def test_a_run_that_began_since_stands_for_one_that_was_missed() -> None:
    assert stands_for(run(9), run(8)) == NIGHT + timedelta(hours=8)


@pytest.mark.parametrize(
    ("mine", "other"),
    [
        (run(8), run(9)),  # of two that run, the first goes on
        (run(9), run(8, OTHER)),
        (run(9), run(None)),
        (run(9, scheduled=False), run(8)),
    ],
    ids=["began later", "of another schedule", "has not begun", "started by a person"],
)
def test_any_other_run_has_its_work_to_do(mine: Any, other: Any) -> None:
    assert stands_for(mine, other) is None
