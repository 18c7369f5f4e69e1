"""Clients that ask an HTTP server one thing after the other: one thread with raw sockets, so that it takes a server as
little of the machine's time as can be.
"""

from __future__ import annotations

import itertools
import selectors
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CHUNK = 1 << 16


def request(path: str, body: bytes) -> bytes:
    """A POST of JSON over a connection that is kept, as its bytes."""
    head = (
        f"POST {path} HTTP/1.1",
        "host: 127.0.0.1",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "\r\n",
    )
    return "\r\n".join(head).encode() + body


@dataclass
class _Client:
    """A connection, what is still to be asked over it, and what came of the present answer."""

    connection: socket.socket
    requests: Iterator[bytes]
    began: float = 0.0
    received: bytes = b""

    def ask(self) -> None:
        self.received = b""
        self.began = time.perf_counter()
        self.connection.sendall(next(self.requests))

    def answered(self) -> bool:
        """Whether the answer is whole, after one more look at the socket."""
        part = self.connection.recv(CHUNK)
        if not part:
            sys.exit(f"the server closed a connection after {self.received[:200]!r}")
        self.received += part
        return complete(self.received)


def complete(answer: bytes) -> bool:
    """Whether the bytes are a whole answer with content. Ends the benchmark at another status than 200."""
    head, end, content = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    if not head.startswith(b"HTTP/1.1 200") or not rest:
        sys.exit(f"not an answer: {answer[:4000]!r}")
    return len(content) >= int(rest.partition(b"\r\n")[0])


def ask(port: int, requests: Sequence[bytes], clients: int, seconds: float) -> list[float]:
    """Seconds of every request that was answered before the time ended; each client has requests of its own."""
    found: list[float] = []
    with selectors.DefaultSelector() as selector:
        for number in range(clients):
            connection = socket.create_connection(("127.0.0.1", port), timeout=60)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = _Client(connection, itertools.cycle(requests[number::clients]))
            selector.register(connection, selectors.EVENT_READ, client)
        asking = [key.data for key in selector.get_map().values()]
        end = time.perf_counter() + seconds
        for client in asking:
            client.ask()
        while time.perf_counter() < end:
            for key, _ in selector.select(1.0):
                if key.data.answered():
                    found.append(time.perf_counter() - key.data.began)
                    key.data.ask()
        for client in asking:
            client.connection.close()
    return found
