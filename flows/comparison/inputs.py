"""What two results were made from: the parameters, libraries, code and data that differ between their dvc.lock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.declared import LIBRARIES
from components.params import flatten
from flows.graph import DATA
from flows.reproduction.outputs import Recorded
from flows.reproduction.sizes import UNKNOWN, size_of_difference


@dataclass(frozen=True)
class Differences:
    """Name -> before and now; of code and data: name -> how far both are apart."""

    parameters: dict[str, tuple[Any, Any]]
    libraries: dict[str, tuple[Any, Any]]
    code: dict[str, str]
    data: dict[str, str]


def differences(before: Mapping[str, Any], now: Mapping[str, Any], recorded: Recorded) -> Differences:
    """Of two contents of dvc.lock, stage -> entry."""
    values = [_values(lock) for lock in (before, now)]
    libraries = [{key: one[key] for key in one if key[0] == LIBRARIES} for one in values]
    parameters = [{key: one[key] for key in one if key[0] != LIBRARIES} for one in values]
    inputs = [_inputs(lock) for lock in (before, now)]
    code = [{path: md5 for path, md5 in one.items() if path.startswith("components/")} for one in inputs]
    data = [one.get(DATA, "") for one in inputs]
    return Differences(
        _changed(*parameters),
        _changed(*libraries),
        {path: _state(code[0].get(path), code[1].get(path)) for path in _differing(*code)},
        dict(_files(data[0], data[1], recorded)) if data[0] != data[1] else {},
    )


def _values(lock: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Parameter file and dotted name -> value."""
    found: dict[tuple[str, str], Any] = {}
    for entry in lock.values():
        for file, content in entry.get("params", {}).items():
            found |= {(file, name): value for name, value in flatten(dict(content)).items()}
    return found


def _inputs(lock: Mapping[str, Any]) -> dict[str, str]:
    """Path -> hash, of every input that no stage makes."""
    made = {out["path"] for entry in lock.values() for out in entry.get("outs", [])}
    deps = [dep for entry in lock.values() for dep in entry.get("deps", []) if dep["path"] not in made]
    return {dep["path"]: dep["md5"] for dep in deps if "md5" in dep}


def _differing(before: Mapping[Any, Any], now: Mapping[Any, Any]) -> list[Any]:
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def _changed(before: Mapping[tuple[str, str], Any], now: Mapping[tuple[str, str], Any]) -> dict[str, tuple[Any, Any]]:
    return {key[1]: (before.get(key), now.get(key)) for key in _differing(before, now)}


def _state(before: str | None, now: str | None) -> str:
    if before and now:
        return "changed"
    return "new" if now else "gone"


def _files(before: str, now: str, recorded: Recorded) -> Iterator[tuple[str, str]]:
    """Files of data/ that differ, as far as DVC's cache has both."""
    old = recorded.files({"md5": before}) if before else {}
    new = recorded.files({"md5": now}) if now else {}
    if old is None or new is None:
        yield DATA, UNKNOWN
        return
    for name in _differing(old, new):
        if name not in old or name not in new:
            yield f"{DATA}/{name}", _state(old.get(name), new.get(name))
            continue
        content = recorded.bytes_of(new[name])
        told = UNKNOWN if content is None else size_of_difference(Path(name), recorded.bytes_of(old[name]), content)
        yield f"{DATA}/{name}", told
