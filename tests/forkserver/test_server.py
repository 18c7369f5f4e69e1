"""components.forkserver.server: what a fork is given, and what it loads itself."""

from __future__ import annotations

from pathlib import Path

from tests.forkserver.conftest import Start


def test_a_fork_has_the_libraries_the_words_the_environment_and_the_exit_code(start: Start) -> None:
    process = start("a b")
    told, _ = process.communicate(timeout=60)
    assert (told.split(), process.returncode) == (["forked", "['a", "b']", "Ada"], 7)


def test_an_edit_is_seen_by_the_next_fork(start: Start, program: Path) -> None:
    assert start().wait(60) == 7
    text = program.read_text(encoding="utf-8")
    program.write_text(text.replace("sys.exit(7)", "sys.exit(88)"), encoding="utf-8")
    assert start().wait(60) == 88  # of another length: Python looks at length and second
