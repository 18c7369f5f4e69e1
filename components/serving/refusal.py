"""A request that gets no answer, and why."""

from __future__ import annotations


class Refusal(Exception):
    """Becomes an HTTP answer with {"error": reason}. 429 and 503 tell the client when to come back."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason

    @property
    def headers(self) -> dict[str, str]:
        if self.status in (429, 503):
            return {"retry-after": "1"}
        # The client is still sending; nothing else can come on this connection.
        return {"connection": "close"} if self.status in (408, 413) else {}
