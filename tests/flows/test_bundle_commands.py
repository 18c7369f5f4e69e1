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


def test_no_answer_makes_a_bundle_run_the_models_own_code(tmp_path: Path) -> None:
    model, marker = tmp_path / "model", tmp_path / "was run"
    model.mkdir()
    (model / "own.py").write_text(f"open({str(marker)!r}, 'w').close()\n")
    (model / "config.json").write_text('{"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}')
    for file in ("model.safetensors", "tokenizer.json"):
        (model / file).touch()
    (tmp_path / "rows.txt").write_text("a text\n")
    words = ["bundle", str(model), str(tmp_path / "made"), "--rows", str(tmp_path / "rows.txt")]
    told = CliRunner().invoke(main, words, input="y\n" * 20)
    assert (told.exit_code, marker.exists(), (tmp_path / "made").exists()) == (1, False, False)
    first, second = told.output.splitlines()
    assert first.endswith("config.json names code of its own (auto_map: own.OwnConfig), which is never run")
    assert second == "give a model whose architecture and tokenizer transformers has itself"
