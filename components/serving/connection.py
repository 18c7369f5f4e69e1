"""A client's connection: HTTP/1.1 as httptools parses it, with the bounds that it leaves to others."""

from __future__ import annotations

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

LARGEST_HEAD = 1 << 16
"""Bytes of a request line and headers, or of what stands between the parts of a body; httptools has no bound."""


class Connection(HttpToolsProtocol):
    """Refuses what is no HTTP/1.1 with 400 and closes: a head without end, and one with no host or several."""

    _unparsed = 0

    def data_received(self, data: bytes) -> None:
        self._unparsed += len(data)
        super().data_received(data)
        if self._unparsed > LARGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_headers_complete(self) -> None:
        self._unparsed = 0
        # RFC 9112, 3.2.
        if self.parser.get_http_version() == "1.1" and sum(name == b"host" for name, _ in self.headers) != 1:
            raise httptools.HttpParserError("a request names one host")
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unparsed = 0
        super().on_message_complete()
