"""A real web server on localhost, with texts of several formats to fetch: one that gives no parts of a file."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def parquet() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": ["one", "two"]}), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


PARAGRAPH = "<p>The kettle had been on the fire since dawn, and nobody in the house could say who had put it there.</p>"
CONTENT = {
    "/rows.jsonl.gz": gzip.compress('{"id": 7, "text": "one 貓"}\n{"id": 8, "text": "two"}\n'.encode()),
    "/article": f"<html><title>Kettles</title><body><article>{PARAGRAPH * 3}</article></body></html>".encode(),
    "/empty.jsonl": b"",
    "/plain.jsonl": b'{"text": "one"}\n{"text": "two"}\n' * 300_000,
    "/rows.parquet": parquet(),
    "/short.jsonl": b'{"text": "one"}\n' * 100_000,
}
PACKED = {"/sent.jsonl.gz": 1, "/twice.jsonl.gz": 2, "/sent.jsonl": 1}
"""How often a server packs a file that it then calls packed, `Content-Encoding: gzip`, as what is asked for is sent."""
CONTENT |= dict.fromkeys(PACKED, b'{"text": "one"}\n')
CUT = {"/short.jsonl": 1_000_000}
STATUS = {"/secret.jsonl": 403, "/broken.jsonl": 500}


class Texts(BaseHTTPRequestHandler):
    """Answers with what stands in the tables above."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        status = STATUS.get(path, 200 if path in CONTENT else 404)
        content = CONTENT.get(path, b"")
        for _ in range(PACKED.get(path, 0)):
            content = gzip.compress(content)
        self.send_response(status)
        if path in PACKED:
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[: CUT.get(path)])

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def web() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Texts) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
