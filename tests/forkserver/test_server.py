"""components.forkserver.server: what a fork is given, and what it loads itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.forkserver.conftest import Start

LOADED = """
import sys
from components.forkserver import server
server.import_stages = lambda: (__import__("helpers.texts"), __import__("torch"))
server.load()
print(sorted({"helpers", "helpers.texts", "torch", "components.errors"} & {*sys.modules}))
"""


def test_a_fork_has_the_libraries_the_words_the_environment_and_the_exit_code(start: Start) -> None:
    process = start("a b")
    told, _ = process.communicate(timeout=60)
    assert (told.split(), process.returncode) == (["forked", "['a", "b']", "Ada"], 7)


def test_an_edit_is_seen_by_the_next_fork(start: Start, program: Path) -> None:
    assert start().wait(60) == 7
    text = program.read_text(encoding="utf-8")
    program.write_text(text.replace("sys.exit(7)", "sys.exit(88)"), encoding="utf-8")
    assert start().wait(60) == 88  # of another length: Python looks at length and second


def test_a_text_that_a_program_exits_with_is_printed(start: Start) -> None:
    process = start("tell")
    told, _ = process.communicate(timeout=60)
    assert "no rows" in told.splitlines()  # before or after what was printed: standard output may be buffered
    assert process.returncode == 1


def test_a_server_keeps_no_module_of_the_project_whatever_its_name(tmp_path: Path, root: Path) -> None:
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers/texts.py").write_text("import components.errors")
    words = [sys.executable, "-c", LOADED]
    environment = os.environ | {"PYTHONPATH": str(root)}
    told = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert told.stdout == "['torch']\n", told.stderr
