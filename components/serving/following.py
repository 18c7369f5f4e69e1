"""Champions that change: a thread asks for today's releases, loads what is new and hands it to the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from components.errors import LianziError
from components.serving.catalogue import Catalogue, Release, Served


@dataclass
class Follower:
    """Polls `current` every `seconds`. What cannot be asked, loaded or warmed up leaves the present model in place."""

    current: Callable[[], Sequence[Release]]
    load: Callable[[Release], Served]
    catalogue: Catalogue
    say: Callable[[str], None]
    seconds: float
    _stopped: threading.Event = field(default_factory=threading.Event)
    _complaint: str = ""
    _thread: threading.Thread | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin asking, at once and then every few seconds."""
        self._thread = threading.Thread(target=self._follow, args=(loop,), daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 0) -> bool:
        """Ask no more; a load that has begun may still finish. Whether nothing is at work after these seconds."""
        self._stopped.set()
        if self._thread is None:
            return True
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._stopped.is_set():
            self._look(loop)
            self._stopped.wait(self.seconds)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            for release in self.current():
                present = self.catalogue.models.get(release.name)
                if present is None or present.version != release.version:
                    self._exchange(release, loop)
            self._complaint = ""
        except LianziError as error:
            self._complain(str(error))
        except Exception as error:  # the registry's libraries raise what they like; the present models go on
            self._complain(f"{type(error).__name__}: {error}")

    def _exchange(self, release: Release, loop: asyncio.AbstractEventLoop) -> None:
        served = self.load(release)
        if not self._stopped.is_set() and not loop.is_closed():
            loop.call_soon_threadsafe(self.catalogue.put, served)
            self.say(f"{release.name}: version {release.version} from now on")

    def _complain(self, what: str) -> None:
        """Once a reason, not once a poll."""
        line = what.splitlines()[0][:300]
        if line != self._complaint:
            self.say(f"champions: {line}; the present models stay")
        self._complaint = line
