"""flows.bundle_commands: each is part of `lianzi`, explains itself, and says what is wrong in one or two lines."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from flows.bundle_commands import COMMANDS
from flows.cli import main


def call(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_is_part_of_lianzi_and_explains_itself(command: click.Command) -> None:
    told = call(command.name or "", "--help")
    assert told.exit_code == 0
    assert f" {command.name} [OPTIONS]" in told.output
    assert command.help


@pytest.mark.parametrize(
    "words",
    [
        ("bundle", "nowhere", "made"),
        ("generate", "nowhere", "Once"),
        ("triton", "nowhere", "repository"),
        ("sign", "nowhere", "--key", "no.key"),
        ("verify", "nowhere", "--public-key", "no.key.pub"),
    ],
    ids=lambda words: words[0],
)
def test_what_is_not_there_is_named_in_two_lines_at_most(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = call(*words)
    assert told.exit_code == 1
    assert "nowhere" in told.output or "no.key" in told.output
    assert len(told.output.splitlines()) <= 2
    assert not list(tmp_path.iterdir())
