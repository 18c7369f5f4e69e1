"""What results were made from: the parameters, libraries, code and data that differ between their dvc.lock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.declared import LIBRARIES
from components.params import flatten
from components.tracking.inputs import given
from flows.graph import DATA
from flows.reproduction.outputs import Recorded
from flows.reproduction.sizes import UNKNOWN, size_of_difference

SAME = "as in the first"
SEED = "seed"


@dataclass(frozen=True)
class Differences:
    """Name -> its value in each result; of code and data: name -> how far it is from the first result's in each of
    the others. Names that all results agree on are left out."""

    parameters: dict[str, tuple[Any, ...]]
    libraries: dict[str, tuple[Any, ...]]
    code: dict[str, tuple[str, ...]]
    data: dict[str, tuple[str, ...]]


def differences(locks: Sequence[Mapping[str, Any]], recorded: Recorded) -> Differences:
    """Of the contents of dvc.lock, stage -> entry, of two results or more."""
    values = [_values(lock) for lock in locks]
    inputs = [_inputs(lock) for lock in locks]
    code = [{path: md5 for path, md5 in one.items() if path.startswith("components/")} for one in inputs]
    first, *others = (one.get(DATA, "") for one in inputs)
    data = [dict(_files(first, other, recorded)) if other != first else {} for other in others]
    return Differences(
        _changed([{name: one[file, name] for file, name in one if file != LIBRARIES} for one in values]),
        _changed([{name: one[file, name] for file, name in one if file == LIBRARIES} for one in values]),
        _beside_first([_states(code[0], one) for one in code[1:]]),
        _beside_first(data),
    )


def configurations(locks: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Names of results, those that differ in their seed alone together; in the order given."""
    found: dict[str, list[str]] = {}
    for name, lock in locks.items():
        values = {f"{file}:{key}": value for (file, key), value in _values(lock).items() if key != SEED}
        found.setdefault(json.dumps([values, _inputs(lock)], sort_keys=True, default=str), []).append(name)
    return list(found.values())


def _values(lock: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Parameter file and dotted name -> value."""
    found: dict[tuple[str, str], Any] = {}
    for entry in lock.values():
        for file, content in entry.get("params", {}).items():
            found |= {(file, name): value for name, value in flatten(dict(content)).items()}
    return found


def _inputs(lock: Mapping[str, Any]) -> dict[str, str]:
    """Path -> hash, of every input that no stage makes."""
    return {dep["path"]: dep["md5"] for deps in given(lock).values() for dep in deps if "md5" in dep}


def _differing(results: Sequence[Mapping[str, Any]]) -> list[str]:
    names = sorted({name for one in results for name in one})
    return [name for name in names if any(one.get(name) != results[0].get(name) for one in results)]


def _changed(results: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    return {name: tuple(one.get(name) for one in results) for name in _differing(results)}


def _beside_first(told: Sequence[Mapping[str, str]]) -> dict[str, tuple[str, ...]]:
    names = sorted({name for one in told for name in one})
    return {name: tuple(one.get(name, SAME) for one in told) for name in names}


def _states(first: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    return {path: _state(first.get(path), other.get(path)) for path in _differing([first, other])}


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
    for name in _differing([old, new]):
        if name not in old or name not in new:
            yield f"{DATA}/{name}", _state(old.get(name), new.get(name))
            continue
        content = recorded.bytes_of(new[name])
        told = UNKNOWN if content is None else size_of_difference(Path(name), recorded.bytes_of(old[name]), content)
        yield f"{DATA}/{name}", told
