"""What dvc.yaml declares of a stage: its code, its inputs, its outputs, its parameters and its libraries.

One list for all: DVC calls a stage stale by it, the stage checks at its end that none of it has changed in the
meantime (`components.inputs`), and checkpoints are known by it (`components.training.store`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from components.errors import ArtifactError

PROJECT = Path(__file__).parent.parent
"""The folder of dvc.yaml and of the package whose code runs."""
LIBRARIES = "libraries.yaml"
_OPTION = re.compile(r"--(\w+) (\S+)")


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


def declared(stage: str) -> Declared:
    """What dvc.yaml says of `stage`, STAGE or STAGE@TASK. Raises ArtifactError where it says nothing."""
    name, _, task = stage.partition("@")
    content = _stages().get(name)
    if content is None:
        raise ArtifactError(f"{PROJECT / 'dvc.yaml'}: no stage '{name}'", "run this inside a Lianzi project")
    options = {value: option for option, value in _OPTION.findall(content["cmd"])}
    params = content.get("params", [])
    outs = [out for kind in ("outs", "metrics", "plots") for out in content.get(kind, [])]
    return Declared(
        code=tuple(path for path in content["deps"] if path.startswith("components/")),
        reads=tuple(options[path] for path in content["deps"] if path in options),
        writes=tuple(options[path] for path in map(_path, outs) if path in options),
        params=tuple(key.replace("${item.task}", task) for key in params if isinstance(key, str)),
        libraries=tuple(key for file in params if isinstance(file, dict) for key in file.get(LIBRARIES, [])),
    )


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
