"""components.staging: whole or not at all, in the place of nothing but an earlier one of the same kind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from components.artifacts import MANIFEST, of_kind, write_manifest
from components.errors import ArtifactError
from components.staging import NOTE, staged

CORPUS = of_kind("corpus")
ROOT = Path(__file__).parent.parent


def make(target: Path, word: str = "words") -> Path:
    with staged(target, CORPUS) as folder:
        (folder / "a.txt").write_text(word)
        write_manifest(folder, "corpus", {})
    return target


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def state_of(folder: Path) -> dict[str, tuple[int, int, int, int]]:
    """Name -> inode, mode, size and time of change; when it was last read is nobody's concern."""
    found = {name: (folder / name).lstat() for name in names(folder)}
    return {name: (now.st_ino, now.st_mode, now.st_size, now.st_mtime_ns) for name, now in found.items()}


def fail(target: Path, error: BaseException) -> None:
    with staged(target, CORPUS) as folder:
        (folder / "half").write_text("half")
        raise error


def test_a_folder_appears_only_when_its_block_ends_well(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail(tmp_path / "deep/down/out", RuntimeError())
    assert names(tmp_path) == []
    make(tmp_path / "out")
    assert names(tmp_path) == ["out", "out/a.txt", f"out/{MANIFEST}"]


@pytest.mark.parametrize("error", [RuntimeError(), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left")])
def test_what_stood_there_stays_when_the_new_one_fails(tmp_path: Path, error: BaseException) -> None:
    make(tmp_path / "out", "old")
    before = names(tmp_path)
    with pytest.raises((ArtifactError, RuntimeError, KeyboardInterrupt)):
        fail(tmp_path / "out", error)
    assert (tmp_path / "out/a.txt").read_text() == "old"
    assert names(tmp_path) == before


def test_an_earlier_one_and_an_empty_folder_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    make(tmp_path / "out", "first")
    make(tmp_path / "out", "second")
    assert (tmp_path / "out/a.txt").read_text() == "second"
    assert names(tmp_path) == ["out", "out/a.txt", f"out/{MANIFEST}"]


def of_another_kind(place: Path) -> None:
    place.mkdir()
    write_manifest(place, "tokens", {})


def with_something_beside(place: Path) -> None:
    make(place)
    (place / "thesis.txt").write_text("mine")


def edited(place: Path) -> None:
    make(place)
    (place / "a.txt").write_text("edited by hand")


def with_a_manifest_of_others(place: Path) -> None:
    place.mkdir()
    (place / MANIFEST).write_text('{"name": "extension", "manifest_version": 3}')


def a_link_to_one_of_ours(place: Path) -> None:
    place.symlink_to(make(place.with_name("real")))


def a_link_to_nowhere(place: Path) -> None:
    place.symlink_to("nowhere")


def a_file(place: Path) -> None:
    place.write_text("mine")


def a_folder_of_photographs(place: Path) -> None:
    place.mkdir()
    (place / "holiday.jpg").write_text("mine")


@pytest.mark.parametrize(
    "others",
    [
        of_another_kind,
        with_something_beside,
        edited,
        with_a_manifest_of_others,
        a_link_to_one_of_ours,
        a_link_to_nowhere,
        a_file,
        a_folder_of_photographs,
    ],
)
def test_what_is_not_certainly_ours_is_refused_before_any_work(tmp_path: Path, others: object) -> None:
    others(tmp_path / "out")  # type: ignore[operator]
    before = state_of(tmp_path)
    with pytest.raises(ArtifactError) as raised, staged(tmp_path / "out", CORPUS):
        pytest.fail("the work began")
    assert len(str(raised.value).splitlines()) == 2
    assert state_of(tmp_path) == before


def test_what_came_to_lie_there_during_the_work_is_not_replaced(tmp_path: Path) -> None:
    def work() -> None:
        with staged(tmp_path / "out", CORPUS) as folder:
            write_manifest(folder, "corpus", {})
            a_folder_of_photographs(tmp_path / "out")

    with pytest.raises(ArtifactError, match="something else here"):
        work()
    assert names(tmp_path) == ["out", "out/holiday.jpg"]


@pytest.mark.parametrize("place", ["/", ".", "..", "~", ""])
def test_the_root_a_home_and_the_folder_one_works_in_are_no_places(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "up/here").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "up/here")
    with pytest.raises(ArtifactError, match="the folder of something else"), staged(Path(place).expanduser(), CORPUS):
        pytest.fail("the work began")
    assert names(tmp_path) == ["home", "up", "up/here"]


def test_a_strangers_folder_in_the_way_of_the_work_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".out.partial").mkdir()
    (tmp_path / ".out.partial/thesis.txt").write_text("mine")
    with pytest.raises(ArtifactError, match=r"\.out\.partial: in the way"):
        make(tmp_path / "out")
    assert names(tmp_path) == [".out.partial", ".out.partial/thesis.txt"]


def test_a_place_that_cannot_be_written_is_told_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match=r"file/out: cannot be written: File exists") as raised:
        make(tmp_path / "file/out")
    assert len(str(raised.value).splitlines()) == 2
    with pytest.raises(ArtifactError, match="File name too long"):
        make(tmp_path / ("a" * 255))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_others_own_is_told_before_the_work(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(ArtifactError, match="Permission denied"):
        make(tmp_path / "out")


KILLED = """
import os, signal, sys
from pathlib import Path
from components import staging
from components.artifacts import of_kind, write_manifest
target, moment = Path(sys.argv[1]), sys.argv[2]
if moment == "between":
    rename, seen = Path.rename, []
    def counted(self, to):
        seen.append(to)
        if len(seen) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, to)
    Path.rename = counted
with staging.staged(target, of_kind("corpus")) as folder:
    (folder / "a.txt").write_text("new")
    write_manifest(folder, "corpus", {})
    if moment == "half":
        os.kill(os.getpid(), signal.SIGKILL)
    if moment == "wait":
        print("working", flush=True)
        sys.stdin.read()
"""


def start(target: Path, moment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", KILLED, str(target), moment]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, text=True, **pipes)


@pytest.mark.parametrize("moment", ["half", "between"])
def test_a_kill_at_any_moment_loses_nothing_and_the_next_run_goes_on(tmp_path: Path, moment: str) -> None:
    make(tmp_path / "out", "old")
    killed = start(tmp_path / "out", moment)
    assert killed.wait(60) == -signal.SIGKILL
    kept = [path for path in tmp_path.rglob("a.txt") if path.read_text() == "old"]
    assert len(kept) == 1
    with pytest.raises(RuntimeError):
        fail(tmp_path / "out", RuntimeError())
    assert (tmp_path / "out/a.txt").read_text() == "old"
    make(tmp_path / "out", "new")
    assert names(tmp_path) == ["out", "out/a.txt", f"out/{MANIFEST}"]
    assert (tmp_path / "out/a.txt").read_text() == "new"


@pytest.fixture
def working(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = start(tmp_path / "out", "wait")
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    yield process
    process.kill()
    process.communicate()


def test_a_run_that_still_works_is_not_disturbed(tmp_path: Path, working: subprocess.Popen[str]) -> None:
    with pytest.raises(ArtifactError, match="another run is writing it"):
        make(tmp_path / "out")
    working.communicate("")
    assert working.returncode == 0
    assert (tmp_path / "out/a.txt").read_text() == "new"


def test_a_folder_that_its_owner_removes_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note, real, removed = tmp_path / ".out.partial" / NOTE, os.open, []

    def opened(path: Any, *how: Any, **where: Any) -> int:
        if path == note and not removed:
            note.parent.rmdir()
            removed.append(path)
        return real(path, *how, **where)

    monkeypatch.setattr(os, "open", opened)
    make(tmp_path / "out", "new")
    assert removed
    assert (tmp_path / "out/a.txt").read_text() == "new"


def test_whoever_waits_for_another_run_comes_after_it(tmp_path: Path, working: subprocess.Popen[str]) -> None:
    def later() -> None:
        with staged(tmp_path / "out", CORPUS, wait=True) as folder:
            (folder / "a.txt").write_text("later")
            write_manifest(folder, "corpus", {})

    thread = threading.Thread(target=later)
    thread.start()
    working.communicate("")
    thread.join(60)
    assert working.returncode == 0
    assert (tmp_path / "out/a.txt").read_text() == "later"
    assert names(tmp_path) == ["out", "out/a.txt", f"out/{MANIFEST}"]


def test_threads_keep_each_other_out(tmp_path: Path) -> None:
    with staged(tmp_path / "out", CORPUS) as folder:
        with pytest.raises(ArtifactError, match="another run is writing it"):
            make(tmp_path / "out")
        write_manifest(folder, "corpus", {})
    assert (tmp_path / "out" / MANIFEST).is_file()


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), ValueError("IoError: No space left on device (os 28)")]
)
def test_a_full_disk_is_told_in_two_lines(tmp_path: Path, error: Exception) -> None:
    make(tmp_path / "out", "old")
    with pytest.raises(ArtifactError, match="out: cannot be written: no space left on the disk\nnothing was changed"):
        fail(tmp_path / "out", error)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with room for some pages."""
    (tmp_path / "disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path / "disk")]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a file system, and not everywhere")
    yield tmp_path / "disk"
    subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def test_a_disk_that_fills_up_keeps_what_stood_there(small_disk: Path) -> None:
    make(small_disk / "out", "old")
    with pytest.raises(ArtifactError, match="out: cannot be written: no space left on the disk"):
        make(small_disk / "out", "long" * 100_000)
    assert names(small_disk) == ["out", "out/a.txt", f"out/{MANIFEST}"]
    assert (small_disk / "out/a.txt").read_text() == "old"
    (small_disk / "filled").write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize))
    with pytest.raises(ArtifactError, match="cannot be written: no space left on the disk") as raised:
        make(small_disk / "other")
    assert len(str(raised.value).splitlines()) == 2


LIMITED = """
import resource, sys
from pathlib import Path
from components.artifacts import of_kind
from components.errors import ArtifactError
from components.staging import staged
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    with staged(Path(sys.argv[1]), of_kind("corpus")) as folder:
        (folder / "a.txt").write_text("x" * 10_000)
except ArtifactError as error:
    print(error)
"""


def test_a_limit_on_the_size_of_files_is_told_like_a_full_disk(tmp_path: Path) -> None:
    make(tmp_path / "out", "old")
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "out")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[0] == f"{tmp_path / 'out'}: cannot be written: file size limit reached"
    assert names(tmp_path) == ["out", "out/a.txt", f"out/{MANIFEST}"]


@pytest.mark.parametrize("content", [None, b"", b"mine"])
def test_only_a_note_of_ours_makes_a_folder_ours(tmp_path: Path, content: bytes | None) -> None:
    """A writer that is killed at once leaves no note, or an empty one, and nothing else."""
    (tmp_path / ".out.partial").mkdir()
    if content is not None:
        (tmp_path / ".out.partial" / NOTE).write_bytes(content)
    if content == b"mine":
        with pytest.raises(ArtifactError, match="in the way"):
            make(tmp_path / "out")
    else:
        make(tmp_path / "out")
