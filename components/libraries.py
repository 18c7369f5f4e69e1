"""The versions of the libraries that compute a stage: inputs of it, as data and code are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from components.declared import LIBRARIES
from components.errors import ParameterError
from components.params import read_yaml

LIBRARIES_FILE = Path(LIBRARIES)


def installed(name: str) -> str | None:
    """The version in use, None without one. A local build (2.13.0+cpu) counts as the release it is built from."""
    try:
        return metadata.version(name).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


def noted(folder: Path = Path()) -> dict[str, str]:
    """What libraries.yaml says; empty where there is none."""
    path = folder / LIBRARIES
    return {name: str(version) for name, version in read_yaml(path).items()} if path.is_file() else {}


def differences(names: Iterable[str], known: Mapping[str, str]) -> dict[str, tuple[str, str | None]]:
    """Library -> its noted and its installed version, of those that differ."""
    found = {name: (known[name], installed(name)) for name in names if name in known}
    return {name: (before, now) for name, (before, now) in found.items() if before != now}


def check_libraries(names: Iterable[str], known: Mapping[str, str]) -> None:
    """Raises ParameterError where a result would not be that of the versions it is known by."""
    different = differences(names, known)
    if different:
        told = ", ".join(f"{name} {before}, installed is {now or 'none'}" for name, (before, now) in different.items())
        raise ParameterError(
            f"{LIBRARIES}: {told}", "`lianzi run` notes what is installed; `make setup` installs what is pinned"
        )
