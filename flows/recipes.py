"""The command, parameters, inputs and outputs of a stage, as DVC reads them."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.params import Params, flatten
from components.sections import Section

_COMMAND = "python -m components "


@dataclass(frozen=True)
class Recipe:
    """A stage of dvc.yaml, its matrix filled in. `words`: its command line after `python -m components`."""

    words: tuple[str, ...]
    params: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]

    def path(self, name: str) -> Path:
        """The value of the command's option --NAME."""
        return Path(self.words[self.words.index(f"--{name}") + 1])

    def sections(self, params: Params) -> dict[str, Section]:
        """The params sections that the stage depends on, a task's included; without the seed."""
        found = {name: params.section(name) for name in self.params}
        found |= {name: params.tasks.get(name.partition(".")[2]) for name in self.params if name.startswith("tasks.")}
        return {name: section for name, section in found.items() if isinstance(section, Section)}

    def depends_on(self, changed: set[str]) -> bool:
        """Whether one of the changed dotted keys is among the stage's parameters."""
        return any(key == name or key.startswith(f"{name}.") for key in changed for name in self.params)


def read_recipes(root: Path) -> dict[str, Recipe]:
    """Stage name -> recipe, for every stage that runs components."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return {
            str(stage.addressing): _recipe(stage)
            for stage in repo.index.stages
            if str(getattr(stage, "cmd", "")).startswith(_COMMAND)
        }


def changed_keys(before: Params, after: Params) -> set[str]:
    """The dotted keys whose values differ."""
    flat = [flatten(params.model_dump(by_alias=True)) for params in (before, after)]
    return {key for key in flat[0].keys() | flat[1].keys() if flat[0].get(key) != flat[1].get(key)}


def _recipe(stage: Any) -> Recipe:
    words = shlex.split(stage.cmd.removeprefix(_COMMAND))
    params = [name for dep in stage.deps for name in getattr(dep, "params", [])]
    reads = [dep.def_path for dep in stage.deps if not hasattr(dep, "params")]
    return Recipe(tuple(words), tuple(params), tuple(reads), tuple(out.def_path for out in stage.outs))
