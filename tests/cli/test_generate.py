"""lianzi generate: the answer as the generator gives it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from components.runtime.generation.generator import Sampling, load_generator
from tests.serving.conftest import language_bundle


def generate(*words: str) -> Result:
    return CliRunner().invoke(main, ["generate", *words])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    return language_bundle(tmp_path_factory.mktemp("letters"), "gpt2", tokenizer_folder)


def test_the_likeliest_answer_is_printed_as_the_generator_gives_it(bundle: Path) -> None:
    expected = load_generator(bundle).complete(["海 船"], Sampling(8, 0.0, 1.0, None, ()))
    asked = generate(str(bundle), "海 船", "--max-tokens", "8")
    assert (asked.exit_code, asked.output) == (0, f"{expected[0]}\n")


def test_a_seed_draws_the_same_answer_again(bundle: Path) -> None:
    words = (str(bundle), "海 船", "--max-tokens", "8", "--temperature", "0.9", "--seed", "2")
    asked = generate(*words)
    assert asked.exit_code == 0, asked.output
    assert asked.output.strip()
    assert asked.output == generate(*words).output


def test_a_message_is_answered_by_the_rung_that_is_named(bundle: Path) -> None:
    chat = generate(str(bundle), "海", "--chat", "--max-tokens", "4", "--rung", "fp32")
    assert chat.exit_code == 0, chat.output


@pytest.mark.parametrize(
    ("words", "told"), [(("nowhere", "a"), "no bundle here"), ((".", "a", "--top-p", "0"), "0<x<=1")]
)
def test_a_mistake_is_a_line(
    words: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = generate(*words)
    assert result.exit_code in (1, 2)
    assert told in result.output
