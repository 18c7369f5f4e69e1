"""The rows of a server's log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.errors import DataError
from flows.watching.requests import NAMES, answered, log_files, logged


def test_older_files_come_first_and_older_lines_mean_an_answer(tmp_path: Path) -> None:
    row = dict.fromkeys(NAMES, "a")
    for name, status in (("log", 500), ("log.2", None), ("log.1", 200)):
        told = row | {"request": name} | ({} if status is None else {"status": status, "milliseconds": 2.0})
        (tmp_path / name).write_text(json.dumps(told) + "\n")
    rows = list(logged(log_files(tmp_path, Path("log"))))
    assert [(row["request"], row["status"], row["milliseconds"]) for row in rows] == [
        ("log.2", 200, None),
        ("log.1", 200, 2.0),
        ("log", 500, 2.0),
    ]
    assert [answered(row) for row in rows] == [True, True, False]
    assert list(logged([tmp_path / "nothing"])) == []
    assert [row["request"] for row in logged([tmp_path / "log"], lambda row: row["request"] != "log")] == []


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    line = json.dumps(dict.fromkeys(NAMES, "a"))
    (tmp_path / "log").write_text(f"{line}\n{line[:9]}")
    assert len(list(logged([tmp_path / "log"]))) == 1


@pytest.mark.parametrize("line", ['{"text": "sea"}', "[]", "7", "sea", "\xe9"])
def test_what_is_no_log_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "log").write_text(f"{json.dumps(dict.fromkeys(NAMES))}\n{line}\n", encoding="latin-1")
    with pytest.raises(DataError, match=r"log:2: not a line of a log of requests\n`lianzi serve"):
        list(logged([tmp_path / "log"]))
