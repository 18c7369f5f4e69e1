"""The versions of a task's model, for whoever only asks: from MLflow's registry, or from rows that were read before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

from components.champions import CHALLENGER, CHAMPION
from components.tracking.registered import RegisteredVersion

REFUSED = "refused"
"""The tag of a version that its release did not make champion: why."""


@dataclass(frozen=True)
class Version:
    """A registered model version."""

    version: int
    tags: dict[str, str]


class Versions(ABC):
    """Which versions of a task's model there are, and which of them is in use."""

    @abstractmethod
    def version_at(self, task: str, alias: str) -> Version | None:
        """The version the alias points at, or None. Raises ServiceError."""

    @abstractmethod
    def versions(self, task: str) -> list[Version]:
        """All versions of a task's model, the newest first. Raises ServiceError."""

    def champion(self, task: str) -> Version | None:
        """The version that is in use, or None. Raises ServiceError."""
        return self.version_at(task, CHAMPION)

    def challenger(self, task: str) -> Version | None:
        """The version that passed every gate and is not champion yet, or None. Raises ServiceError."""
        return self.version_at(task, CHALLENGER)

    def refusal(self, task: str) -> str:
        """That the newest version was refused, and why; empty where it was not. Raises ServiceError."""
        newest = next(iter(self.versions(task)), None)
        if newest is None or REFUSED not in newest.tags:
            return ""
        return f"v{newest.version} was refused: {newest.tags[REFUSED]}"


class StoredVersions(Versions):
    """Those that were read from the project's own store, all at once."""

    def __init__(self, found: Iterable[RegisteredVersion]) -> None:
        self._newest_first = sorted(found, key=lambda one: -one.version)

    def version_at(self, task: str, alias: str) -> Version | None:
        return next((_version(one) for one in self._of(task) if alias in one.aliases), None)

    def versions(self, task: str) -> list[Version]:
        return [_version(one) for one in self._of(task)]

    def _of(self, task: str) -> list[RegisteredVersion]:
        return [one for one in self._newest_first if one.task == task]


def _version(found: RegisteredVersion) -> Version:
    return Version(found.version, dict(found.tags))
