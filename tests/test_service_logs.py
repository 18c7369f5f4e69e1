"""tests.service_logs: it sees the errors that it is there to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service_logs import RECOVERED, assert_healthy, errors_in

TRACEBACK = 'Traceback (most recent call last):\n  File "a.py", line 1\nValueError: a\n'


@pytest.mark.parametrize(
    "line",
    [
        "06:43:35.413 | ERROR   | prefect.server.services.scheduler - Unexpected error in: InvalidRequestError",
        "2026/11/28 07:00:41 ERROR mlflow.server.jobs: no store",
        "ERROR:    Exception in ASGI application",
        "CRITICAL:root:lost",
        TRACEBACK,
    ],
)
def test_an_error_is_found_whoever_wrote_it(line: str, tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text(f"06:43:35.413 | INFO    | prefect - fine\n{line}\n")
    with pytest.raises(AssertionError, match=r"service\.log:"):
        assert_healthy(log)


def test_what_is_no_error_is_left_alone() -> None:
    lines = (
        'INFO:     "GET /errors HTTP/1.1" 200 OK',
        "06:43:35.413 | INFO    | prefect - ERROR is a word",
        "errors",
    )
    assert errors_in("\n".join(lines)) == []


def test_an_error_that_is_expected_takes_its_traceback_along() -> None:
    text = f"06:43:35.413 | ERROR   | prefect - {RECOVERED[0]}: pool=a\n{TRACEBACK}\n{TRACEBACK}"
    assert errors_in(text, RECOVERED) == []
    assert len(errors_in(f"{text}\n06:43:36.413 | INFO    | prefect - fine\n{TRACEBACK}", RECOVERED)) == 1
