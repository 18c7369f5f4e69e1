from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from components.corpus.documents import write_shard
from components.deployment.generation.generator import load_generator
from flows.bundle import ROWS, held_out_texts
from flows.cli import main
from tests.small_artifacts import sentences
from tests.small_language_models import small_model_folder


def lianzi(*words: str) -> Result:
    return CliRunner().invoke(main, words)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> tuple[Path, Result]:
    """A model's bundle, made by the command as a person types it, and what it said."""
    folder = tmp_path_factory.mktemp("command")
    small_model_folder(folder / "llama", "llama", tokenizer_folder)
    (folder / "rows.txt").write_text("\n".join(text for text, _ in sentences(40)), encoding="utf-8")
    words = ("bundle", str(folder / "llama"), str(folder / "bundle"), "--rows", str(folder / "rows.txt"))
    return folder / "bundle", lianzi(*words, "--rungs", "int8", "--no-speed", "--name", "words")


def test_the_command_tells_how_it_goes_and_what_ships(bundle: tuple[Path, Result]) -> None:
    folder, result = bundle
    assert result.exit_code == 0, result.output
    assert "llama: decoder, llama" in result.output
    assert "fp32: largest difference" in result.output
    assert "ships int8: the smallest accepted rung" in result.output
    assert load_generator(folder).name == "words"


def test_an_answer_is_printed_as_the_generator_gives_it(bundle: tuple[Path, Result]) -> None:
    asked = lianzi("generate", str(bundle[0]), "海 船", "--max-tokens", "8", "--temperature", "0.9", "--seed", "2")
    assert asked.exit_code == 0, asked.output
    again = lianzi("generate", str(bundle[0]), "海 船", "--max-tokens", "8", "--temperature", "0.9", "--seed", "2")
    assert asked.output == again.output
    assert asked.output.strip()
    chat = lianzi("generate", str(bundle[0]), "海", "--chat", "--max-tokens", "4", "--rung", "fp32")
    assert chat.exit_code == 0, chat.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("bundle", "nowhere", "out", "--rows", "rows.txt"), "nowhere: no such folder"),
        (("bundle", "model", "out", "--rows", "none.txt"), "none.txt: no such file"),
        (("bundle", "model", "out", "--rows", "empty.txt"), "empty.txt: no text in it"),
        (("bundle", "model", "out", "--rows", "bad.jsonl"), "bad.jsonl:2: no `text`"),
        (("bundle", "model", "out", "--rows", "latin.txt"), "latin.txt: not UTF-8"),
        (("bundle", "model", "out"), "no held-out text"),
        (("bundle", "model", "taken", "--rows", "rows.txt"), "taken: there is something else here"),
        (("bundle", "model", "out", "--rows", "rows.txt", "--rungs", "int5"), "no rung 'int5'"),
        (("bundle", "model", "out", "--rows", "rows.txt"), "no config.json here"),
        (("generate", "nowhere", "a"), "no bundle here"),
        (("generate", ".", "a", "--top-p", "0"), "0"),
    ],
)
def test_a_mistake_is_a_line_not_a_traceback(
    words: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/thesis.txt").write_text("mine")
    (tmp_path / "rows.txt").write_text("one two", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{"words": 1}\n')
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    result = lianzi(*words)
    assert result.exit_code in (1, 2)
    assert told in result.output
    assert "Traceback" not in result.output


def test_held_out_text_is_the_corpus_validation_split_spread_evenly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rows = [{"id": f"a/{number}", "text": f"text {number}"} for number in range(1000)]
    write_shard(tmp_path / "artifacts/corpus/validation/a-00000.parquet", rows)
    texts = held_out_texts(None)
    assert len(texts) == ROWS
    assert (texts[0], texts[-1]) == ("text 0", "text 996")
