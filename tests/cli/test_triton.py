"""lianzi triton: a repository with the settings that were given."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from cli.main import main
from tests.small_ladder import Ladder


def lianzi(*words: str) -> Result:
    return CliRunner().invoke(main, words)


def test_a_triton_repository_is_written_by_command(ladder: Ladder, tmp_path: Path) -> None:
    done = lianzi("triton", str(ladder.bundle), str(tmp_path / "models"), "--delay", "7")
    assert done.output.split() == [str(path) for path in map(Path, done.output.split()) if path.is_dir()]
    assert "max_queue_delay_microseconds: 7" in (tmp_path / "models/places_classifier/config.pbtxt").read_text()
    assert lianzi("triton", str(tmp_path), str(tmp_path / "more")).exit_code == 1
