"""The hashes that any commit's dvc.lock or .dvc file names."""

from __future__ import annotations

from pathlib import Path

from flows.reproduction.git import git
from flows.tracked_files import hashes_of_commits, hashes_of_work_tree
from tests.small_results import run


def md5(number: int) -> str:
    return f"{number:032x}"


def save(project: Path, number: int, path: str = "dvc.lock") -> None:
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_text(f"outs:\n- md5: '{md5(number)}.dir'\n  nothing: {'0' * 40}\n")
    run(project, "git", "add", "-A", "-f")
    run(project, "git", "commit", "-q", "--no-verify", "-m", str(number))


def repository(folder: Path) -> Path:
    folder.mkdir()
    run(folder, "git", "init", "-q", "-b", "main")
    for name in ("user.name", "user.email"):
        run(folder, "git", "config", name, "somebody")
    return folder


def test_every_version_of_every_commit_is_found(tmp_path: Path) -> None:
    project = repository(tmp_path / "project")
    save(project, 1)
    save(project, 2)
    run(project, "git", "checkout", "-q", "-b", "side")
    save(project, 3)
    save(project, 4, "below/data.dvc")
    run(project, "git", "checkout", "-q", "main")
    save(project, 5)
    git(project, "merge", "-q", "-s", "ours", "side")  # what the side had is in no commit of main
    (project / "dvc.lock").write_text(f"md5: {md5(6)}\n")
    run(project, "git", "commit", "-q", "-a", "--amend", "--no-edit")  # and the merge has what neither side had
    run(project, "git", "branch", "-q", "-D", "side")
    save(project, 7)
    run(project, "git", "update-ref", "refs/exps/ab/abcd/one", "HEAD")
    run(project, "git", "reset", "-q", "--hard", "HEAD~1")
    run(project, "git", "rm", "-q", "dvc.lock")
    (project / "staged.dvc").write_text(md5(8))
    run(project, "git", "add", "staged.dvc")
    expected = {f"{md5(number)}.dir" for number in (1, 2, 3, 4, 5, 7)} | {md5(6), md5(8)}
    assert hashes_of_commits(project) == expected


def test_files_of_the_work_tree_count_though_git_ignores_them(tmp_path: Path) -> None:
    project = repository(tmp_path / "project")
    (project / ".gitignore").write_text("*.dvc\n")
    (project / "data.dvc").write_text(md5(1))
    (project / "folder").mkdir()
    (project / "folder" / "dvc.lock").write_text(md5(2))
    (project / "notes.txt").write_text(md5(3))
    assert hashes_of_work_tree(project) == {md5(1), md5(2)}
    assert hashes_of_commits(project) == set()


def test_every_stash_counts_not_the_latest_alone(tmp_path: Path) -> None:
    project = repository(tmp_path / "project")
    save(project, 1)
    for number in (2, 3):
        (project / "dvc.lock").write_text(md5(number))
        run(project, "git", "stash", "-q")
    assert hashes_of_commits(project) == {f"{md5(1)}.dir", md5(2), md5(3)}


def test_without_git_the_files_alone_count(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "dvc.lock").write_text(md5(1))
    (tmp_path / "folder" / "data.dvc").write_text(md5(2))
    assert hashes_of_commits(tmp_path) == set()
    assert hashes_of_work_tree(tmp_path) == {md5(1), md5(2)}
