"""What a new project is laid out from: the files of a clone, or of an installed wheel."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import components
from components.errors import ArtifactError

FILES = (
    "dvc.yaml",
    "params.yaml",
    "libraries.yaml",
    "folders.yaml",
    "removals.txt",
    ".dvcignore",
    ".gitignore",
    "infra/prefect.yaml",
)
"""Files of the project's root; pyproject.toml puts them and PLOTS into the wheel, under SHARED."""
PLOTS = (".dvc/plots/page.html", ".dvc/plots/curves.json")
"""The page and the template of `dvc plots`: files in a folder that is only there after `dvc init`."""
DOCS = "docs"
SHARED = "share/lianzi"


def files_folder() -> Path:
    """The folder of FILES: beside the packages in a clone, elsewhere in an installed wheel."""
    clone = Path(str(components.__file__)).parent.parent
    if (clone / "dvc.yaml").is_file():
        return clone
    listed = [path for path in metadata.files("lianzi") or () if path.as_posix().endswith(f"{SHARED}/dvc.yaml")]
    if not listed:
        raise ArtifactError("the installed package has no project files", "install lianzi again, from its wheel")
    return Path(str(listed[0].locate())).resolve().parent


def pages(source: Path) -> list[str]:
    """The pages that comments of params.yaml name, and what these lead to, beside FILES."""
    found = sorted(path for path in (source / DOCS).rglob("*") if path.suffix in (".md", ".png"))
    return [path.relative_to(source).as_posix() for path in found]
