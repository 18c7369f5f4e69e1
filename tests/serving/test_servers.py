"""The servers that run now."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components.serving import servers
from components.serving.servers import FOLDER, HOST, Server, forget_server, live_servers, note_server


def test_a_server_is_known_until_it_ends(tmp_path: Path) -> None:
    own = Server("http://127.0.0.1:8000", os.getpid(), {"topic": {"version": "3", "digest": "06a2"}})
    note_server(tmp_path, own)
    note_server(tmp_path, Server("http://127.0.0.1:8001", 2**22 + 1, {}))  # killed: no process has this number
    (tmp_path / FOLDER / f"9@{HOST}.json").write_text("cut off")
    assert live_servers(tmp_path) == [own]
    forget_server(tmp_path, own.pid)
    assert live_servers(tmp_path) == []


def test_a_killed_servers_file_goes_with_the_next_one(tmp_path: Path) -> None:
    note_server(tmp_path, Server("http://127.0.0.1:1", 2**22 + 1, {}))
    own = Server("http://127.0.0.1:2", os.getpid(), {}, {"places": {"version": "8", "digest": "b"}}, 0.1)
    note_server(tmp_path, own)
    assert live_servers(tmp_path) == [own]
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == [f"{os.getpid()}@{HOST}.json"]


def test_a_file_of_another_host_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(servers, "HOST", "elsewhere")
        note_server(tmp_path, Server("http://127.0.0.1:1", 2**22 + 1, {}))
    own = Server("http://127.0.0.1:2", os.getpid(), {})
    note_server(tmp_path, own)
    assert live_servers(tmp_path) == [own]
    assert (tmp_path / FOLDER / f"{2**22 + 1}@elsewhere.json").is_file()
