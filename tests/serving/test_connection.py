"""components.serving.connection: what comes before a body is bounded, and names one host."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from components.serving.connection import LARGEST_HEAD
from tests.serving.running import Running, running
from tests.small_ladder import Ladder


@pytest.fixture(scope="module")
def server(ladder: Ladder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("server"), ladder.bundle) as found:
        yield found


def sent(server: Running, *parts: bytes) -> bytes:
    """All that comes back until the server closes the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        try:
            for part in parts:
                connection.sendall(part)
            while part := connection.recv(1 << 16):
                answer += part
        except ConnectionError:  # it was closed while we wrote
            pass
    return answer


def test_a_request_with_one_host_is_answered(server: Running) -> None:
    found = sent(server, b"GET /v2 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
    assert found.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("hosts", [b"", b"host: a\r\nhost: b\r\n"])
def test_a_request_without_a_host_or_with_several_is_refused(server: Running, hosts: bytes) -> None:
    assert sent(server, b"GET /v2 HTTP/1.1\r\n" + hosts + b"\r\n").startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("begun", [b"GET /", b"GET /v2 HTTP/1.1\r\nhost: a\r\nx: ", b"GET /v2 HTTP/1.1\r\n"])
def test_a_head_without_end_is_refused(server: Running, begun: bytes) -> None:
    found = sent(server, begun, b"a" * (LARGEST_HEAD + 1))
    assert found.startswith(b"HTTP/1.1 400 ") or found == b""


def test_a_body_may_be_longer_than_a_head(server: Running) -> None:
    size = LARGEST_HEAD * 4
    head = b"POST /v2/models/places/infer HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % size
    assert b"the body is not valid JSON" in sent(server, head, *[b"a" * LARGEST_HEAD] * 4)
