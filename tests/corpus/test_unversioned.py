"""What DVC gives no version is refused, by name, before it is read; what it makes itself is not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from components.corpus.curate import curate
from components.corpus.unversioned import refuse_unversioned
from components.errors import DataError
from components.run import RecordedRun
from tests.corpus.small_corpus import SOURCES, TASKS, curate_config, documents, small_data, write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "project" / ".dvc").mkdir(parents=True)
    write(tmp_path / "big" / "sea.jsonl", documents(3))
    return small_data(tmp_path / "project" / "data")


def linked_corpus(data: Path) -> None:
    (data / "corpus").rename(data.parent / "elsewhere")
    (data / "corpus").symlink_to(data.parent / "elsewhere")


def linked_data(data: Path) -> None:
    data.rename(data.parent / "elsewhere")
    data.symlink_to(data.parent / "elsewhere")


def bound_socket(data: Path) -> None:
    os.chdir(data / "corpus")  # the path of a socket is bounded
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s.jsonl")


LINK = "DVC gives what stands behind a link no version: put the data itself there, or see docs/bring_your_own_data.md"
FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "data": (linked_data, rf"data: a link to \S+elsewhere\n{LINK}"),
    "corpus": (linked_corpus, rf"data/corpus: a link to a folder, \S+elsewhere\n{LINK}"),
    "task": (
        lambda data: (data / "tasks" / "mood").symlink_to(data.parent),
        rf"tasks/mood: a link to a folder.*\n{LINK}",
    ),
    "folder": (
        lambda data: (data / "corpus" / "more").symlink_to(data.parents[1] / "big"),
        r"corpus/more: a link to a fo",
    ),
    "file": (
        lambda data: (data / "corpus" / "lake.jsonl").symlink_to(data.parents[1] / "big" / "sea.jsonl"),
        rf"corpus/lake\.jsonl: a link to a file, \S+sea\.jsonl\n{LINK}",
    ),
    "dangling": (
        lambda data: (data / "corpus" / "lake.jsonl").symlink_to("/nowhere/x"),
        r"lake\.jsonl: a link to /nowhere/x: No such file or directory\ntake the link out",
    ),
    "circle": (
        lambda data: (data / "corpus" / "lake.jsonl").symlink_to("lake.jsonl"),
        r"lake\.jsonl: a link to lake\.jsonl: Too many levels of symbolic links\n",
    ),
    "circle of folders": (
        lambda data: (data / "corpus" / "more").symlink_to(".."),
        r"corpus/more: a link to a folder, \.\.",
    ),
    "pipe": (lambda data: os.mkfifo(data / "corpus" / "p.jsonl"), r"p\.jsonl: a pipe\ntake it out of data/"),
    "socket": (bound_socket, r"s\.jsonl: a socket\ntake it out of data/"),
    "hidden": (lambda data: (data / ".x").symlink_to("/nowhere"), r"data/\.x: a link to /nowhere"),
    "name": (
        lambda data: Path(os.fsdecode(os.fsencode(data) + b"/\xff.md")).touch(),
        r"a name that is not UTF-8\nrename it",
    ),
    "gone from the cache": (
        lambda data: (data / "corpus" / "lake.jsonl").symlink_to(f"/cache/files/md5/ab/{'c' * 30}"),
        r"lake\.jsonl: its copy in DVC's cache is gone: /cache/files.*\n`dvc pull data` fetches it",
    ),
    "left out": (
        lambda data: (data.parent / ".dvcignore").write_text("*.tmp\n/data/corpus/sea*\n"),
        r"corpus/sea_en\.jsonl: a \.dvcignore leaves it out of every version\ntake it out of data/, or",
    ),
    "folder left out": (
        lambda data: (data / ".dvcignore").write_text("colour/\n"),
        r"tasks/colour: a \.dvcignore leaves it out of every version",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_can_have_no_version_is_named_with_what_to_do(
    fault: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(data.parent)
    refuse_unversioned(data)
    make, told = FAULTS[fault]
    make(data)
    with pytest.raises(DataError, match=told):
        refuse_unversioned(data)


@pytest.mark.parametrize("fault", ["corpus", "task", "folder", "file", "pipe", "left out"])
def test_curate_refuses_it_before_any_work(fault: str, data: Path) -> None:
    make, told = FAULTS[fault]
    make(data)
    out = data.parent / "artifacts"
    paths = (data, data.parent / "removals.txt", out / "corpus", out / "tasks", data.parent / "reports")
    with pytest.raises(DataError, match=told):
        curate(curate_config(), SOURCES, TASKS, 1, *paths, RecordedRun())
    assert not out.exists()


def test_several_are_counted(data: Path) -> None:
    for name in "abc":
        (data / "corpus" / name).symlink_to("/nowhere")
    with pytest.raises(DataError, match=r"corpus/a: a link to .* \(and 2 more such places\)"):
        refuse_unversioned(data)


def test_what_cannot_be_read_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = str(data / "corpus" / "sea_en.jsonl")
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed)
    with pytest.raises(DataError, match=r"sea_en\.jsonl: cannot be read: Permission denied\ncheck its owner"):
        refuse_unversioned(data)


def test_what_is_neither_read_nor_versioned_is_let_be(data: Path) -> None:
    (data / ".dvcignore").write_text("drafts/\n*.jsonl\n!sea_en.jsonl\n!verse_zh.jsonl\n!t*.jsonl\n!validation.jsonl\n")
    (data / "drafts").mkdir()
    (data / "drafts" / "x").symlink_to("/nowhere")
    (data / "corpus" / "code" / ".git").mkdir(parents=True)
    (data / "corpus" / "code" / ".git" / "x").symlink_to("/nowhere")
    refuse_unversioned(data)


def test_links_that_dvc_made_to_its_cache_are_read(tmp_path: Path) -> None:
    """A cache on another disk, and data/ filled from a folder there: one copy of everything, all of it versioned."""
    project = tmp_path / "project"
    write(tmp_path / "disk" / "data" / "corpus" / "sea.jsonl", documents(2))
    project.mkdir()
    for words in (
        ["git", "init", "-q"],
        [sys.executable, "-m", "dvc", "init", "-q"],
        [sys.executable, "-m", "dvc", "config", "core.analytics", "false"],
        [sys.executable, "-m", "dvc", "cache", "dir", "--local", str(tmp_path / "disk" / "cache")],
        [sys.executable, "-m", "dvc", "config", "--local", "cache.type", "symlink"],
        [sys.executable, "-m", "dvc", "add", "-q", str(tmp_path / "disk" / "data"), "-o", "data"],
    ):
        subprocess.run(words, cwd=project, check=True)
    assert (project / "data" / "corpus" / "sea.jsonl").is_symlink()
    refuse_unversioned(project / "data")
