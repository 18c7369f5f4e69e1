"""A sampled log of requests, for looking at what is asked and how far it has moved from the training rows.

A request is kept or not by a hash of its id, so all servers keep the same. Texts are scrubbed of what tells of a person
as the corpus is. A thread of its own scrubs and writes; what comes while its queue is full is dropped and counted, so
no answer ever waits for a disk. Files are for their owner alone.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from logging import LogRecord, makeLogRecord
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from components.errors import ServiceError

if TYPE_CHECKING:
    import numpy as np

    from components.serving.front import Passage

LARGEST = 64 << 20
"""Bytes of a file; then it is PATH.1, and so on up to KEPT older ones."""
KEPT = 3
MOST_WAITING = 1000
"""Requests that wait to be written."""
SHARES = 2**64


class RequestLog:
    """JSON lines {"time", "request", "model", "version", "text", "answer", "score"}, one a row; texts have no score."""

    def __init__(
        self, path: Path, share: float, lose: Callable[[int], None] = lambda rows: None, largest: int = LARGEST
    ) -> None:
        """Keep a `share` of requests; `lose` is told of rows dropped. ServiceError where the file cannot be written."""
        self.share = share
        self._lose = lose
        self._queue: queue.Queue[list[dict[str, Any]] | None] = queue.Queue(MOST_WAITING)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._handler = _Files(path, maxBytes=largest, backupCount=KEPT, encoding="utf-8")
        except OSError as error:
            raise ServiceError(f"{path}: cannot be written: {error.strerror}", "choose another --log-file") from None
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def wants(self, request: str) -> bool:
        """Whether the request of this id is kept."""
        number = int.from_bytes(hashlib.blake2b(request.encode(), digest_size=8).digest(), "big")
        return number < self.share * SHARES

    def put_labels(self, passage: Passage, texts: Sequence[str], labels: Sequence[str], logits: np.ndarray) -> None:
        """Texts and the label each was given."""
        from components.deployment.serving import softmax

        scores = softmax(logits)
        best = scores.argmax(axis=1)
        rows = zip(texts, best.tolist(), scores.max(axis=1).tolist(), strict=True)
        self._put(
            passage, [{"text": text, "answer": labels[one], "score": round(score, 6)} for text, one, score in rows]
        )

    def put_texts(self, passage: Passage, prompts: Sequence[str | list[int]], answers: Sequence[str]) -> None:
        """Prompts and what was generated; prompts of token ids are left out."""
        both = [(text, answer) for text, answer in zip(prompts, answers, strict=True) if isinstance(text, str)]
        self._put(passage, [{"text": text, "answer": answer, "score": None} for text, answer in both])

    def close(self, seconds: float = 5) -> None:
        """Write what waits."""
        self._queue.put(None)
        self._thread.join(seconds)

    def _put(self, passage: Passage, rows: list[dict[str, Any]]) -> None:
        served = passage.served
        head = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": passage.id,
            "model": passage.model,
            "version": served.version if served else "",
        }
        try:
            self._queue.put_nowait([head | row for row in rows])
        except queue.Full:
            self._lose(len(rows))

    def _write(self) -> None:
        from components.corpus.personal_data import KINDS, scrubbed

        while (rows := self._queue.get()) is not None:
            for row in rows:
                clean = {name: scrubbed(row[name], KINDS)[0] for name in ("text", "answer")}
                self._handler.emit(makeLogRecord({"msg": orjson.dumps(row | clean).decode()}))
        self._handler.close()


class _Files(RotatingFileHandler):
    """Files that no one else may read; a disk that is full loses lines, never the server."""

    def _open(self) -> TextIOWrapper:
        os.close(os.open(self.baseFilename, os.O_CREAT | os.O_WRONLY, 0o600))
        return super()._open()

    def handleError(self, record: LogRecord) -> None:  # noqa: N802
        pass
