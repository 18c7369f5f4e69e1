"""What dvc.yaml declares of a stage: its code, its inputs, its outputs, its parameters and its libraries.

One list for all: DVC calls a stage stale by it, the stage checks at its end that none of it has changed in the
meantime (`components.inputs`), and checkpoints are known by it (`components.training.store`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from components.errors import ArtifactError

PROJECT = Path(__file__).parent.parent
"""The folder of dvc.yaml and of the package whose code runs."""
LIBRARIES = "libraries.yaml"
_OPTION = re.compile(r"--(\w+) (\S+)")
_PARAMETER = re.compile(r"\$\{([\w.]+)\}")


@dataclass(frozen=True)
class Declared:
    """Of one stage. `reads` and `writes`: the options of its command whose paths are inputs or outputs of DVC's."""

    code: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    params: tuple[str, ...]
    libraries: tuple[str, ...]

    def files(self) -> list[Path]:
        """The files of its code."""
        return [PROJECT / path for path in self.code]


def declared(stage: str, params: Mapping[str, Any]) -> Declared:
    """What dvc.yaml says of `stage`, STAGE or STAGE@TASK, with the values of params.yaml filled in.

    Raises ArtifactError where it says nothing.
    """
    name, _, task = stage.partition("@")
    content = _stages().get(name)
    if content is None:
        raise ArtifactError(f"{PROJECT / 'dvc.yaml'}: no stage '{name}'", "run this inside a Lianzi project")
    content = content.get("do", content)
    values = {**params, "key": task, "item": params.get("tasks", {}).get(task)}
    options = {value: option for option, value in _OPTION.findall(content["cmd"])}
    keys = content.get("params", [])
    outs = [out for kind in ("outs", "metrics", "plots") for out in content.get(kind, [])]
    return Declared(
        code=tuple(_filled(path, values) for path in content["deps"] if path.startswith("components/")),
        reads=tuple(options[path] for path in content["deps"] if path in options),
        writes=tuple(options[path] for path in map(_path, outs) if path in options),
        params=tuple(_filled(key, values) for key in keys if isinstance(key, str)),
        libraries=tuple(key for file in keys if isinstance(file, dict) for key in file.get(LIBRARIES, [])),
    )


def _filled(text: str, values: Mapping[str, Any]) -> str:
    """What DVC makes of `${model.architecture}`; of every task's stages `${key}` is the task, `${item}` its section."""

    def value(found: re.Match[str]) -> str:
        place: Any = values
        for name in found[1].split("."):
            place = place.get(name) if isinstance(place, Mapping) else None
        # What is missing stays as it is written: whoever checks the parameters, or the command line, says it better.
        return place if isinstance(place, str) else found[0]

    return _PARAMETER.sub(value, text)


def _path(out: Any) -> str:
    return str(next(iter(out))) if isinstance(out, dict) else str(out)


@cache
def _stages() -> dict[str, Any]:
    from ruamel.yaml import YAML

    try:
        text = (PROJECT / "dvc.yaml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    content: dict[str, Any] = YAML(typ="safe").load(text)["stages"]
    return content
