"""The server process: uvicorn with another shutdown.

On SIGTERM or SIGINT it is no longer ready, refuses new work with 503, finishes the accepted requests and exits with 0.
Requests that do not finish in time are cancelled, and their clients get an error. A second signal ends it at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.server import HANDLED_SIGNALS

from components.errors import ServiceError
from components.serving.connection import Connection
from components.serving.garbage import settle
from components.serving.middleware import LAST_WORDS, Admission, RequestMiddleware


class Server(uvicorn.Server):
    """A uvicorn server that drains before it stops."""

    def __init__(self, config: uvicorn.Config, gate: Admission, drain: float, say: Callable[[str], None]) -> None:
        super().__init__(config)
        self._admission, self._drain, self._say = gate, drain, say
        self._told = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._admission.draining:
            os._exit(128 + sig)
        self._admission.draining = True
        self._told = time.monotonic()
        self._say(f"stopping: {self._admission.under_way} requests to finish")

    async def on_tick(self, counter: int) -> bool:
        """uvicorn calls it ten times a second to know whether to stop."""
        if self._admission.draining and not self.should_exit:
            late = time.monotonic() - self._told - self._drain
            if late > 0 and self._admission.under_way and not self._admission.given_up:
                self._say(f"{self._admission.under_way} requests did not finish within {self._drain:g} s")
                self._admission.give_up()
            self.should_exit = not self._admission.under_way or late > 2 * LAST_WORDS
        return await super().on_tick(counter)


def run_server(
    app: RequestMiddleware,
    listen: tuple[str, int],
    tls: tuple[Path, Path] | None,
    drain: float,
    say: Callable[[str], None],
    started: Callable[[asyncio.AbstractEventLoop], Any],
    stopped: Callable[[], Awaitable[Any]],
) -> None:
    """Serve until told to stop; `started` is called with the event loop before, `stopped` in it after that.

    Raises ServiceError.
    """
    host, port = listen
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="error",
        access_log=False,
        server_header=False,
        http=Connection,
        lifespan="off",
        timeout_graceful_shutdown=1,
        ssl_certfile=str(tls[0]) if tls else None,
        ssl_keyfile=str(tls[1]) if tls else None,
    )
    server = Server(config, app.admission, drain, say)

    async def serve() -> None:
        started(asyncio.get_running_loop())
        settle()
        try:
            await server.serve()
        finally:
            if app.admission.draining:
                # Uvicorn has put the handlers back that were there before; a second signal still ends it at once.
                for one in HANDLED_SIGNALS:
                    signal.signal(one, signal.SIG_DFL)
            await stopped()

    try:
        asyncio.run(serve())
    except ssl.SSLError as error:
        raise ServiceError(f"certificate and key cannot be used: {error.reason or error}", "both in PEM form") from None
    except SystemExit:  # uvicorn's word for a port it cannot have; it has logged why
        raise ServiceError(f"cannot listen on {host}:{port}", "choose another with --host and --port") from None
