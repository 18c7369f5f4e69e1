from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from components.errors import EngineError, ServiceError
from components.serving.app import make_app
from components.serving.middleware import RequestContext
from components.serving.request_log import KEPT, RequestLog, _Files
from components.serving.service import Service
from tests.serving.asking import ids, texts
from tests.serving.scripted import ScriptedGenerator, ScriptedRow, serve_scripted

ROOT = Path(__file__).parents[2]
INFER = "/v2/models/places/infer"


def open_log(path: Path, share: float = 1.0, **options: Any) -> RequestLog:
    nothing = {"lose": lambda rows, reason: None, "say": lambda line: None}
    return RequestLog(path, share, **nothing | options)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_requests_are_kept_by_their_id_in_about_the_share_asked_for(tmp_path: Path) -> None:
    half, same, all_of_them = (open_log(tmp_path / f"{share}", share) for share in (0.5, 0.5, 1.0))
    names = [f"request-{number}" for number in range(1000)]
    kept = [name for name in names if half.wants(name)]
    assert 400 < len(kept) < 600
    assert kept == [name for name in names if same.wants(name)]
    assert all(map(all_of_them.wants, names))
    for log in (half, same, all_of_them):
        log.close()


def test_what_was_asked_and_answered_is_kept_scrubbed(service: Service, tmp_path: Path) -> None:
    service.log = open_log(tmp_path / "log.jsonl")
    mail = "ship wave whale, write to jane.doe@example.org or 13912345678"
    with TestClient(make_app(service, print)) as client:
        assert client.post(INFER, json=texts(mail, "門 市"), headers={"x-request-id": "mine"}).status_code == 200
        client.post(INFER, json=ids([[1, 5, 2]]))
        client.post(INFER, json={})
    service.log.close()
    first, second = lines(tmp_path / "log.jsonl")
    assert first["text"] == "ship wave whale, write to <EMAIL> or <PHONE>"
    assert (first["request"], first["model"], first["version"], first["answer"]) == ("mine", "places", "7", "sea")
    assert 0 < first["score"] <= 1
    assert first["time"].endswith("+00:00")
    assert second["text"] == "門 市"
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o077 == 0


def test_what_was_generated_is_kept_whole_or_streamed(service: Service, tmp_path: Path) -> None:
    service.log = open_log(tmp_path / "log.jsonl")
    generator = ScriptedGenerator()
    generator.go.set()
    with TestClient(make_app(service, print)) as client:
        served = serve_scripted(service, generator)
        for stream in (False, True):
            asked = {"model": "echo", "prompt": "abc", "max_tokens": 3, "stream": stream}
            assert client.post("/v1/completions", json=asked).status_code == 200
    service.log.close()
    found = [(one["model"], one["text"], one["answer"], one["score"]) for one in lines(tmp_path / "log.jsonl")]
    assert found == [("echo", "abc", "abc", None)] * 2
    for one in served:
        one.batcher.close()


class Breaking(ScriptedGenerator):
    """Makes two tokens, and breaks."""

    def step(self, rows: Sequence[ScriptedRow]) -> list[int]:
        if len(self.steps) == 2:
            raise EngineError("broken")
        return super().step(rows)


def test_a_stream_that_breaks_is_kept_as_a_failure(service: Service, tmp_path: Path) -> None:
    service.log = open_log(tmp_path / "log.jsonl")
    generator = Breaking()
    generator.go.set()
    with TestClient(make_app(service, print)) as client:
        served = serve_scripted(service, generator)
        asked = {"model": "echo", "prompt": "abc", "max_tokens": 5, "stream": True}
        assert "internal error (EngineError)" in client.post("/v1/completions", json=asked).text
    service.log.close()
    (line,) = lines(tmp_path / "log.jsonl")
    assert (line["status"], line["text"], line["answer"]) == (500, "", "")
    for one in served:
        one.batcher.close()


def test_a_failure_is_kept_where_its_answer_would_be(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.log = open_log(tmp_path / "log.jsonl")
    monkeypatch.setattr(service.repository.models["places"].batcher, "submit", lambda rows: 1 / 0)
    with TestClient(make_app(service, print), raise_server_exceptions=False) as client:
        assert client.post(INFER, json=ids([[1, 5, 2]])).status_code == 500
        assert client.post(INFER, json=texts("ship"), headers={"x-request-id": "mine"}).status_code == 500
    service.log.close()
    assert [line["request"] for line in lines(tmp_path / "log.jsonl")] == ["mine"]


def test_files_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log.jsonl", largest=2000)
    for number in range(200):
        log.put_generated(RequestContext(str(number), "POST"), ["a" * 100], ["b"])
        while log._queue.qsize() > 100:
            pass
    log.close(20)
    files = sorted(tmp_path.iterdir())
    assert len(files) == KEPT + 1
    assert all(path.stat().st_size <= 2000 for path in files)
    assert all(path.stat().st_mode & 0o077 == 0 for path in files)
    assert lines(tmp_path / "log.jsonl")[-1]["request"] == "199"


def test_a_writer_that_is_behind_loses_rows_and_holds_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[tuple[int, str]] = []
    go = threading.Event()
    monkeypatch.setattr("components.serving.request_log.MOST_WAITING", 2)
    log = open_log(tmp_path / "log.jsonl", lose=lambda rows, reason: lost.append((rows, reason)))
    append = log._files.append
    monkeypatch.setattr(_Files, "append", lambda self, lines: (go.wait(10), append(lines)))
    for _ in range(10):
        log.put_answers(RequestContext("7", "POST"), ["a", "b"], [("sea", 0.5), ("city", 0.5)])
    go.set()
    log.close()
    kept = len(lines(tmp_path / "log.jsonl"))
    left_out = sum(rows for rows, _ in lost)
    assert left_out >= 14
    assert kept + left_out == 20
    assert {reason for _, reason in lost} == {"behind"}


def put(log: RequestLog, *names: str) -> None:
    """Two rows of each name, waited for until the writer is done with them."""
    for name in names:
        log.put_generated(RequestContext(name, "POST"), ["a", "b"], ["c", "d"])
    deadline = time.monotonic() + 10
    while log._queue.unfinished_tasks and time.monotonic() < deadline:
        time.sleep(0.005)


def test_a_full_disk_loses_rows_that_are_counted_told_once_and_kept_again_once_there_is_room(tmp_path: Path) -> None:
    lost: list[tuple[int, str]] = []
    said: list[str] = []
    path = tmp_path / "log.jsonl"
    path.symlink_to("/dev/full")
    log = open_log(path, lose=lambda rows, reason: lost.append((rows, reason)), say=said.append)
    put(log, "one", "two")
    assert lost == [(2, "unwritable")] * 2
    assert said == [f"request log: {path}: No space left on device; rows are left out while that is so"]
    path.unlink()
    put(log, "three", "four")
    assert said[1:] == [f"request log: {path} is written again; 4 rows are not in it"]
    assert [one["request"] for one in lines(path)] == ["three", "three", "four", "four"]
    # On and off within a minute is told no more, but counted.
    for name in ("five", "six"):
        path.unlink()
        path.symlink_to("/dev/full")
        put(log, name)
        path.unlink()
        put(log, name)
    assert log.close()
    assert sum(rows for rows, _ in lost) == 8
    assert said[2:] == [f"request log: 4 rows more are not in {path}"]


def test_a_disk_that_becomes_full_in_the_midst_of_a_row_keeps_whole_rows_alone(tmp_path: Path) -> None:
    """In a process of its own, whose files may have 1,000 bytes."""
    program = """
import resource, sys
from pathlib import Path
from components.serving.middleware import RequestContext
from components.serving.request_log import RequestLog

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
lost = []
log = RequestLog(Path("log.jsonl"), 1.0, lambda rows, reason: lost.append(rows), lambda line: None)
for number in range(20):
    log.put_generated(RequestContext(str(number), "POST"), ["text"], ["answer"])
log.close()
print(sum(lost))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    kept = lines(tmp_path / "log.jsonl")
    assert done.stderr == ""
    assert 0 < len(kept) < 20
    assert len(kept) + int(done.stdout) == 20


def test_a_file_that_is_moved_or_removed_under_it_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log = open_log(path)
    put(log, "one")
    path.rename(tmp_path / "moved")
    put(log, "two")
    log.close()
    assert [one["request"] for one in lines(path)] == ["two", "two"]


def test_a_file_that_others_could_read_becomes_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.touch(0o644)
    open_log(path).close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_fault_in_the_scrubbing_costs_its_rows_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[int] = []
    log = open_log(tmp_path / "log.jsonl", lose=lambda rows, reason: lost.append(rows))
    with monkeypatch.context() as patch:
        patch.setattr("components.corpus.personal_data.scrubbed", None)
        put(log, "one")
    put(log, "two")
    log.close()
    assert lost == [2]
    assert len(lines(tmp_path / "log.jsonl")) == 2


def test_a_disk_that_never_answers_does_not_keep_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: list[int] = []
    go = threading.Event()
    log = open_log(tmp_path / "log.jsonl", lose=lambda rows, reason: lost.append(rows))
    monkeypatch.setattr(_Files, "append", lambda self, lines: go.wait(20))
    for _ in range(5):
        log.put_generated(RequestContext("7", "POST"), ["a"], ["b"])
    assert not log.close(0.2)
    log.put_generated(RequestContext("7", "POST"), ["a"], ["b"])
    assert sum(lost) in (5, 6)  # the one that is being written may be there yet
    go.set()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match=r"file/log.jsonl: cannot be written: .*\nchoose another --log-file"):
        open_log(tmp_path / "file" / "log.jsonl")
