"""flows.scheduling.notices: no result depends on a message. That it arrives: test_schedule_mends_itself."""

from __future__ import annotations

import logging

import pytest

from flows.scheduling import notices
from flows.scheduling.notices import notify

LOGGER = logging.getLogger("tests.notices")


def test_without_a_name_nobody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    notify("", "failed", "why", LOGGER)
    assert not caplog.records


def test_a_message_that_cannot_be_sent_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Away:
        def notify(self, body: str, subject: str) -> None:
            raise ConnectionError(f"no route for {subject}\nand more")

    monkeypatch.setattr(notices, "load_notifier", lambda name: Away())
    notify("slack-webhook/ops", "failed", "why", LOGGER)
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("WARNING", "no message by slack-webhook/ops: no route for failed")
    ]
