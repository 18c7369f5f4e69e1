"""cli.live: which version answered when."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cli.live import live, moment
from cli.rollback import roll_back
from components.errors import ParameterError
from tests.cli.test_rollback import released

SINCE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d{4}"


def said(root: Path, *tasks: str, at: str | None = None, log: bool = False) -> str:
    return "\n".join(live(root, tasks, at, log))


def test_the_version_in_use_is_told_now_and_at_any_time_since_the_first(project: Path) -> None:
    assert "topic: nothing was released from here" in said(project) or "topic: no champion" in said(project)
    registry = released("topic", 0.8)
    time.sleep(0.01)
    between = datetime.now(UTC).isoformat()
    version = registry.client.create_model_version("topic", "nowhere")
    registry.set_champion("topic", int(version.version))
    assert re.fullmatch(rf"topic: v2 since {SINCE}, by release \(\S+\)", said(project, "topic"))
    assert re.fullmatch(rf"topic: at {SINCE}: v1 since {SINCE}, by release.*", said(project, "topic", at=between))
    assert "none, or one that is not known: the log's first champion is of" in said(project, "topic", at="2020-01-01")
    roll_back(project, "topic")
    assert re.search("topic: v1 since .*, by rollback", said(project, "topic"))
    registry.set_challenger("topic", 2)
    assert said(project, "topic").endswith("; challenger: v2")
    told = said(project, "topic", log=True).splitlines()
    assert [re.sub(rf"{SINCE}|, by.*", "", line).split() for line in told] == [
        ["topic:", "1", "champion", "v1"],
        ["topic:", "2", "champion", "v2", "(before:", "v1)"],
        ["topic:", "3", "champion", "v1", "(before:", "v2)"],
        ["topic:", "4", "challenger", "v2"],
    ]


def test_an_alias_that_something_else_moved_and_a_changed_log_are_told(project: Path) -> None:
    registry = released("topic", 0.8, 0.9)
    registry.client.set_registered_model_alias("topic", "champion", "1")
    why = "an entry is missing, something else moved the alias, or a command ended before it did"
    assert said(project, "topic") == f"topic: v1; the log says v2; {why}"
    registry.client.delete_registered_model_alias("topic", "champion")
    assert said(project, "topic") == "topic: no champion; the log says v2"
    registry.client.delete_registered_model_tag("topic", registry.log("topic")[0].tag)
    assert said(project, "topic").endswith("\ntopic: the log was changed: entry 1 is missing")


def test_a_champion_from_before_the_log_is_told_as_such(project: Path) -> None:
    registry = released("topic")
    for _ in range(2):
        registry.client.create_model_version("topic", "nowhere")
    registry.client.set_registered_model_alias("topic", "champion", "1")
    assert said(project, "topic") == "topic: v1; it was made champion before there was a log"
    assert said(project, "topic", at="2026-01-01").endswith("not known, the log has no champion")
    registry.set_champion("topic", 2)
    assert ": v1, or one before it: the log's first champion is of" in said(project, "topic", at="2026-01-01")


def test_a_time_without_a_zone_is_of_this_machine() -> None:
    assert moment("2026-11-29T14:30").replace(tzinfo=None) == datetime(2026, 11, 29, 14, 30)
    assert moment("2026-11-29T14:30+08:00").astimezone(UTC).hour == 6
    for text in ("yesterday", "0001-01-01T00:00+08:00", "9999-12-31T23:59:59-08:00"):
        with pytest.raises(ParameterError, match=rf"--at: '{re.escape(text)}' is no time\nwrite it as 2026-11-29"):
            moment(text)


def test_an_unknown_task_is_refused(project: Path) -> None:
    with pytest.raises(ParameterError, match="no task 'topik'"):
        said(project, "topik")
