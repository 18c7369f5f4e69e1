"""cli.project_files: what a project is laid out from, in a clone and in a wheel."""

from __future__ import annotations

import tomllib
from pathlib import Path

from cli.project_files import FILES, PLOTS, SHARED, files_folder, pages

PAGES = ("docs/*.md", "docs/decisions/*.md", "docs/images/*.png")


def test_a_clone_has_the_files_and_the_pages(root: Path) -> None:
    assert files_folder() == root
    assert all((root / name).is_file() for name in (*FILES, *PLOTS, *pages(root)))
    there = {path.relative_to(root).as_posix() for pattern in PAGES for path in root.glob(pattern)}
    assert there == {*pages(root)} > {"docs/tasks.md"}


def test_the_wheel_brings_the_files_that_a_project_is_made_from(root: Path) -> None:
    content = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    listed = content["tool"]["setuptools"]["data-files"]
    brought = [
        f"{folder}/{Path(name).name}" for folder, names in listed.items() for name in names if "examples" not in folder
    ]
    assert sorted(brought) == sorted(f"{SHARED}/{name}" for name in (*FILES, *PLOTS, *PAGES))
