from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from components.errors import ServiceError
from components.serving.app import make_app
from components.serving.front import Passage
from components.serving.request_log import KEPT, RequestLog, _Files
from components.serving.service import Service
from tests.serving.asking import ids, texts
from tests.serving.scripted import ScriptedGenerator, serve_scripted

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


def test_files_are_bounded_in_size_and_number(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log.jsonl", largest=2000)
    for number in range(200):
        log.put_texts(Passage(str(number), "POST"), ["a" * 100], ["b"])
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
        log.put_labels(Passage("7", "POST"), ["a", "b"], ["sea", "city"], np.zeros((2, 2), dtype=np.float32))
    go.set()
    log.close()
    kept = len(lines(tmp_path / "log.jsonl"))
    left_out = sum(rows for rows, _ in lost)
    assert left_out >= 14
    assert kept + left_out == 20
    assert {reason for _, reason in lost} == {"behind"}


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match=r"file/log.jsonl: cannot be written: .*\nchoose another --log-file"):
        open_log(tmp_path / "file" / "log.jsonl")
