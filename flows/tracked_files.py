"""What DVC's files say of every commit: the hashes that a dvc.lock or a .dvc file has ever named.

DVC opens each commit as a project of its own, a quarter of a second each. git knows in which commits such a file
changed, and has all its versions at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from flows.reproduction.git import git

TRACKED = (":(top,glob)**/dvc.lock", ":(top,glob)**/*.dvc")
_HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?:\.dir)?(?![0-9a-f])")


def hashes_in(text: str) -> set[str]:
    """The hashes in a dvc.lock or .dvc file, of any schema: of outputs, of inputs, of files of a folder."""
    return set(_HASH.findall(text))


def parts_of_folders(text: str) -> set[str]:
    """The hashes in a dvc.lock of folders within another folder of it, as data/tasks/form is within data.

    DVC's cache has a list of files of the outer folder alone.
    """
    from ruamel.yaml import YAML

    stages = (YAML(typ="safe").load(text) or {}).get("stages", {}).values()
    entries = [one for stage in stages for one in (*stage.get("deps", ()), *stage.get("outs", ())) if "md5" in one]
    folders = {PurePosixPath(one["path"]) for one in entries if one["md5"].endswith(".dir")}
    return {one["md5"] for one in entries if folders & set(PurePosixPath(one["path"]).parents)}


def hashes_of_commits(root: Path) -> set[str]:
    """Those of all commits that a branch, a tag, an experiment, the stash or a work tree reaches, and of the index.

    None of a project without git. Raises ServiceError where git cannot tell.
    """
    if not _has_git(root):
        return set()
    # Beside each parent of a merge, the first commit beside nothing, no history simplified away: a version that a
    # commit has differs from one parent's, or was already there.
    words = ("--all", "--full-history", "-m", "--raw", "--no-abbrev", "--no-renames", "--format=")
    # --all reaches the latest stash alone; those before it are in its reflog.
    stashes = git(root, "stash", "list", "--format=%H").split()
    history = git(root, "-c", "log.showRoot=true", "log", *words, *stashes, "--", *TRACKED)
    index = git(root, "ls-files", "--stage", "--", *TRACKED)
    versions = {line.split()[3] for line in history.splitlines() if line.startswith(":")}
    versions |= {line.split()[1] for line in index.splitlines()}
    names = sorted(name for name in versions if name.strip("0"))  # zeros: the file was removed there
    return hashes_in(git(root, "cat-file", "--batch", given="".join(f"{name}\n" for name in names)))


def hashes_of_work_tree(root: Path) -> set[str]:
    """Those of the files as they are now, ignored ones too. Raises ServiceError where git cannot tell."""
    if not _has_git(root):
        paths = [path for pattern in ("dvc.lock", "*.dvc") for path in root.rglob(pattern)]
        return _hashes_of(paths)
    listed = git(root, "ls-files", "-z", "--full-name", "--cached", "--others", "--", *TRACKED)
    top = Path(git(root, "rev-parse", "--show-toplevel").rstrip("\n"))
    return _hashes_of(top / name for name in listed.split("\0") if name)


def _has_git(root: Path) -> bool:
    """Whether DVC works with git here: not after `dvc init --no-scm`. A repository that is damaged counts: its commits
    would be missed."""
    return any((folder / ".git").exists() for folder in (root.resolve(), *root.resolve().parents))


def _hashes_of(paths: Iterable[Path]) -> set[str]:
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in paths if path.is_file())
    return set().union(*map(hashes_in, texts))
