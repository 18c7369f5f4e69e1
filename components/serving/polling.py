"""Follows the champions, and the challengers that are canaries: a thread polls the current releases, loads new ones and
gives them to the event loop.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from components.errors import ArtifactError, LianziError, first_line
from components.serving.model_repository import LoadedModel, ModelRepository, Release

Subject = tuple[str, bool]
REGISTRY: Subject = ("", False)


@dataclass
class ModelPoller:
    """Polls `current` every `seconds`. A release that cannot be fetched, loaded or warmed up leaves the present model
    in place.
    """

    current: Callable[[], Sequence[Release]]
    load: Callable[[Release], LoadedModel]
    repository: ModelRepository
    say: Callable[[str], None]
    seconds: float
    patience: float = 60.0
    """Seconds before a failed version is tried again, since checking and loading one is expensive."""
    _stopped: threading.Event = field(default_factory=threading.Event)
    _complaints: dict[Subject, str] = field(default_factory=dict)
    """Complaints by subject: the name of a model, with True for its canary, or the registry."""
    _put_off: dict[Release, float] = field(default_factory=dict)
    _thread: threading.Thread | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start polling, at once and then every few seconds."""
        self._thread = threading.Thread(target=self._follow, args=(loop,), daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 0) -> bool:
        """Stop polling; a running load may still finish. Returns whether the thread has ended within these seconds."""
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
            releases = self.current()
        except Exception as error:  # the registry's libraries raise what they like; the present models go on
            self._complain(REGISTRY, error)
            return
        self._complaints.pop(REGISTRY, None)
        self._end_canaries(releases, loop)
        for release in releases:
            present = (self.repository.canaries if release.canary else self.repository.models).get(release.name)
            if present is not None and present.version == release.version:
                self._complaints.pop((release.name, release.canary), None)
            elif time.monotonic() >= self._put_off.get(release, 0.0):
                self._try(release, loop)

    def _try(self, release: Release, loop: asyncio.AbstractEventLoop) -> None:
        """A failure does not affect the other releases."""
        try:
            self._exchange(release, loop)
            self._put_off.pop(release, None)
        except Exception as error:
            self._put_off[release] = time.monotonic() + self.patience
            self._complain((release.name, release.canary), error)

    def _exchange(self, release: Release, loop: asyncio.AbstractEventLoop) -> None:
        served = self.load(release)
        if release.canary and not self._fits(served):
            if not loop.is_closed():
                asyncio.run_coroutine_threadsafe(served.close(), loop)
            told = "a canary needs the champion's inputs, outputs and labels, and gives no vectors"
            raise ArtifactError(f"{release.name}: version {release.version} answers nothing: {told}")
        if not self._stopped.is_set() and not loop.is_closed():
            loop.call_soon_threadsafe(self.repository.put, served)
            share = f" for {self.repository.share:.1%} of texts" if release.canary else ""
            self.say(f"{release.name}: version {release.version}{share} from now on")

    def _fits(self, canary: LoadedModel) -> bool:
        champion = self.repository.models.get(canary.name)
        return champion is not None and canary.like(champion)

    def _end_canaries(self, releases: Sequence[Release], loop: asyncio.AbstractEventLoop) -> None:
        """Those that are no challengers any more, whether or not the next one can be loaded, and those that a new
        champion does not resemble.
        """
        wanted = {one.name: one.version for one in releases if one.canary}
        for name, canary in list(self.repository.canaries.items()):
            if wanted.get(name) != canary.version or not self._fits(canary):
                self._end_canary(name, loop)

    def _end_canary(self, name: str, loop: asyncio.AbstractEventLoop) -> None:
        if not self._stopped.is_set() and not loop.is_closed():
            loop.call_soon_threadsafe(self.repository.end_canary, name)
            self.say(f"{name}: no canary from now on")

    def _complain(self, about: Subject, error: Exception) -> None:
        """One message for each reason, not for each poll."""
        kind = "" if isinstance(error, LianziError) else f"{type(error).__name__}: "
        line = f"{kind}{first_line(error)}"[:300]
        if line != self._complaints.get(about):
            self.say(f"champions: {line}; the present models stay")
        self._complaints[about] = line
