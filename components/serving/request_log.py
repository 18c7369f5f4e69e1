"""A sampled log of requests, to inspect them and measure their drift from the training rows.

A hash of its id decides whether a request is kept, so all servers keep the same. Texts are scrubbed of personal data as
the corpus is. A thread of its own scrubs and writes, so no answer ever waits for a disk: rows that arrive while its
queue or the disk is full are dropped and counted. Only their owner can read the files.
"""

from __future__ import annotations

import hashlib
import os
import queue
import stat
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import orjson

from components.errors import ServiceError

if TYPE_CHECKING:
    from components.serving.middleware import RequestContext

LARGEST = 64 << 20
"""The largest size of a file in bytes; then it is renamed to PATH.1, and so on up to KEPT older files."""
KEPT = 3
MOST_WAITING = 1000
"""The largest number of requests waiting to be written."""
QUIET = 60.0
"""Seconds between two complaints."""
SHARES = 2**64
Reason = Literal["behind", "unwritable"]
REASONS: tuple[Reason, ...] = ("behind", "unwritable")
"""Reasons for dropped rows: the queue is full, or the file cannot be written."""


class RequestLog:
    """JSON lines {"time", "request", "model", "version", "canary", "text", "answer", "score", "milliseconds",
    "status"}, one a row; texts have no score. canary: a canary's share gave it to this version. milliseconds: of the
    whole request, up to its answer. A request that its model failed has one line with neither text nor answer, and the
    status that its client got, in a stream as its last event.
    """

    def __init__(
        self,
        path: Path,
        share: float,
        lose: Callable[[int, Reason], None],
        say: Callable[[str], None],
        largest: int = LARGEST,
    ) -> None:
        """Keep a `share` of requests; `lose` is told of rows left out, `say` when that begins and ends.

        Raises ServiceError where the file cannot be written.
        """
        self.share = share
        self._lose, self._say = lose, say
        self._left_out = 0
        """Dropped rows that were not reported yet."""
        self._failing, self._quiet_until = False, 0.0
        self._closed = False
        self._queue: queue.Queue[list[dict[str, Any]] | None] = queue.Queue(MOST_WAITING)
        self._files = _Files(path, largest)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files.append(b"")
        except OSError as error:
            raise ServiceError(f"{path}: cannot be written: {error.strerror}", "choose another --log-file") from None
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def wants(self, request: str) -> bool:
        """Whether the request with this id is kept."""
        number = int.from_bytes(hashlib.blake2b(request.encode(), digest_size=8).digest(), "big")
        return number < self.share * SHARES

    def put_answers(
        self, context: RequestContext, texts: Sequence[str], answers: Sequence[tuple[str, float | None]]
    ) -> None:
        """Log texts with their answers and scores."""
        rows = zip(texts, answers, strict=True)
        self._put(
            context,
            [
                {"text": text, "answer": answer, "score": None if score is None else round(score, 6)}
                for text, (answer, score) in rows
            ],
            200,
        )

    def put_failure(self, context: RequestContext, status: int | None = None) -> None:
        """Log a request that its model did not answer, where it is one of those that are kept. `status`: of a stream,
        which began with 200.
        """
        if self.wants(context.id):
            self._put(context, [{"text": "", "answer": "", "score": None}], status or context.status)

    def put_generated(self, context: RequestContext, prompts: Sequence[str | list[int]], texts: Sequence[str]) -> None:
        """Log prompts and generated texts; prompts of token ids are left out."""
        both = [(prompt, text) for prompt, text in zip(prompts, texts, strict=True) if isinstance(prompt, str)]
        self.put_answers(context, [prompt for prompt, _ in both], [(text, None) for _, text in both])

    def close(self, seconds: float = 5) -> bool:
        """Write the waiting rows, as many as these seconds allow. Returns whether all were written."""
        self._closed = True
        until = time.monotonic() + seconds
        with suppress(queue.Full):
            self._queue.put(None, timeout=seconds)
        self._thread.join(max(0.0, until - time.monotonic()))
        if self._thread.is_alive():
            self._lose_waiting()
        if self._left_out:
            self._say(f"request log: {self._left_out} rows more are not in {self._files.path}")
        return not self._thread.is_alive()

    def _lose_waiting(self) -> None:
        with suppress(queue.Empty):
            while True:
                rows = self._queue.get_nowait()
                self._lost(rows or [], "behind")

    def _put(self, context: RequestContext, rows: list[dict[str, Any]], status: int) -> None:
        head = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": context.id,
            "model": context.model,
            "version": context.version,
            "canary": context.canary,
        }
        tail = {"milliseconds": context.milliseconds, "status": status}
        try:
            if self._closed:
                raise queue.Full
            self._queue.put_nowait([head | row | tail for row in rows])
        except queue.Full:
            self._lose(len(rows), "behind")

    def _write(self) -> None:
        while (rows := self._queue.get()) is not None:
            try:
                self._files.append(b"".join(map(_line, rows)))
            except Exception as error:  # the disk, or a bug in the scrubbing: this thread must outlive both
                self._complain(error)
                self._lost(rows, "unwritable")
            else:
                self._relieve()
            finally:
                self._queue.task_done()

    def _complain(self, error: Exception) -> None:
        """Once, and on a disk that has room for every other row once a while."""
        if time.monotonic() >= self._quiet_until and not self._failing:
            reason = (isinstance(error, OSError) and error.strerror) or f"{type(error).__name__}: {error}"
            self._say(f"request log: {self._files.path}: {reason}; rows are left out while that is so")
            self._failing, self._quiet_until = True, time.monotonic() + QUIET

    def _relieve(self) -> None:
        if self._failing:
            self._say(f"request log: {self._files.path} is written again; {self._left_out} rows are not in it")
            self._failing, self._left_out = False, 0

    def _lost(self, rows: list[dict[str, Any]], reason: Reason) -> None:
        self._left_out += len(rows)
        self._lose(len(rows), reason)


@dataclass(frozen=True)
class _Files:
    """A file that no one else may read, and the older ones.

    It is opened for each request anew: whoever moves or removes it, or makes room for it again, need tell nobody.
    """

    path: Path
    largest: int

    def append(self, lines: bytes) -> None:
        """Write all of the lines, or none and raise OSError."""
        with suppress(FileNotFoundError):
            if max(0, self.largest - len(lines)) < self.path.stat().st_size:
                self._turn_over()
        file = self._open()
        try:
            self._append(file, memoryview(lines), os.fstat(file).st_size)
        finally:
            os.close(file)

    def _append(self, file: int, rest: memoryview, size: int) -> None:
        try:
            while rest:
                rest = rest[os.write(file, rest) :]
        except OSError:
            with suppress(OSError):  # a device cannot be cut
                os.ftruncate(file, size)
            raise

    def _open(self) -> int:
        file = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
        mode = os.fstat(file).st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            os.fchmod(file, 0o600)
        return file

    def _turn_over(self) -> None:
        names = [self.path, *(self.path.with_name(f"{self.path.name}.{number}") for number in range(1, KEPT + 1))]
        for newer, older in reversed(list(pairwise(names))):
            if newer.exists():
                newer.replace(older)


def _line(row: dict[str, Any]) -> bytes:
    from components.corpus.personal_data import KINDS, scrubbed

    clean = {name: scrubbed(row[name], KINDS)[0] for name in ("text", "answer")}
    return orjson.dumps(row | clean, option=orjson.OPT_APPEND_NEWLINE)
