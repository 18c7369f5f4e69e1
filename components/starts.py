"""Weights and tokenizers made elsewhere that params.yaml names: a folder, or a hub name with its commit.

A folder is an input by its content: folders.yaml names it again, for dvc.yaml takes no path that may be null. A hub
name is an input by its commit, which is part of the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from components.errors import ParameterError, first_line
from components.params import read_yaml
from components.sections import Section

FOLDERS_FILE = Path("folders.yaml")
_PINNED = re.compile(r"([\w.-]+/)?[\w.-]+@[0-9a-f]{40}")
_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")
"""Of a hub's folder: nothing pickled, no code."""


@dataclass(frozen=True)
class Start:
    """Where params.yaml names one. `otherwise`: what folders.yaml says then, a folder the stage reads anyway."""

    parameter: str
    field: str
    otherwise: str


STARTS = {
    "pretrain": Start("pretrain.init_from", "init_from", "artifacts/tokens"),
    "train_tokenizer": Start("train_tokenizer.from", "imported", "artifacts/corpus"),
}
"""By the stage that takes it."""


def local_folder(parameter: str, name: str) -> Path:
    """The folder that a parameter names; of a hub name, that of its commit, fetched where it is not there yet.

    Raises ParameterError for a hub name without a commit, and where nothing can be fetched.
    """
    if named_folder(parameter, name):
        return Path(name)
    from huggingface_hub import snapshot_download

    repository, _, commit = name.rpartition("@")
    try:
        return Path(snapshot_download(repository, revision=commit, allow_patterns=list(_FILES)))
    except Exception as error:  # huggingface_hub raises its own errors, httpx's and OSError
        reason = first_line(error)
        raise ParameterError(
            f"{parameter}: cannot load {name!r}: {reason}", "give a folder, or a hub name this machine can reach"
        ) from None


def named_folder(parameter: str, name: str) -> bool:
    """Whether it names a folder; else it names a commit of a hub. Raises ParameterError where it names neither."""
    if Path(name).is_dir():
        return True
    if not _PINNED.fullmatch(name):
        raise ParameterError(
            f"{parameter}: {name!r}: no such folder, and no hub name with its commit",
            "a hub's content changes, so name the commit too: OWNER/NAME@0123…cdef, 40 digits that its page shows",
        )
    return False


def wanted_folder(stage: str, section: Section) -> str:
    """What folders.yaml has to say of a stage. Raises ParameterError where its parameter names nothing."""
    start = STARTS[stage]
    name = getattr(section, start.field)
    return name if name is not None and named_folder(start.parameter, name) else start.otherwise


def noted_folders(folder: Path = Path()) -> dict[str, str]:
    """What folders.yaml says, by stage; empty where there is none."""
    path = folder / FOLDERS_FILE
    return dict(read_yaml(path)["folders"]) if path.is_file() else {}


def check_folder(stage: str, section: Section) -> list[Path]:
    """The folder that a stage reads because its parameters name it, if any.

    Raises ParameterError where DVC was told of another one, or of none.
    """
    if stage not in STARTS:
        return []
    noted, wanted = noted_folders(), wanted_folder(stage, section)
    if noted and noted.get(stage) != wanted:
        parameter = STARTS[stage].parameter
        raise ParameterError(
            f"{FOLDERS_FILE}: {stage}: {noted.get(stage)}, but {parameter} of params.yaml makes it {wanted}",
            "`lianzi run` notes it there, for DVC to see when it changes",
        )
    return [] if wanted == STARTS[stage].otherwise else [Path(wanted)]
