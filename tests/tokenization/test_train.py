"""The tokenizer is the same each time, loses no byte, and loads as a transformers tokenizer."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.artifacts import read_manifest
from components.errors import ArtifactError
from components.run import RecordedRun
from components.tokenization.config import TrainTokenizerConfig
from components.tokenization.train import train_tokenizer
from tests.tokenization.small_corpus import contents, small_corpus, train, trainer_config

KINDS = ("byte_bpe", "unigram", "wordpiece")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    small_corpus(folder / "corpus")
    for kind in KINDS:
        train(folder, kind, kind=kind)
    return folder


def loaded(folder: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_same_documents_give_the_same_bytes_with_any_number_of_threads(folder: Path, root: Path, kind: str) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "from tests.tokenization.small_corpus import train\n"
        "train(Path(sys.argv[2]), sys.argv[3] + '-again', kind=sys.argv[3])\n"
    )
    environment = os.environ | {"RAYON_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}
    words = [sys.executable, "-c", program, str(root), str(folder), kind]
    done = subprocess.run(words, check=True, env=environment, capture_output=True, text=True)
    assert "merges" not in done.stdout + done.stderr  # gigatoken's own chatter
    assert contents(folder / kind) == contents(folder / f"{kind}-again")
    assert set(contents(folder / kind)) == {"tokenizer.json", "tokenizer_config.json", "manifest.json"}


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_loads_it_with_the_agreed_special_tokens(folder: Path, kind: str) -> None:
    tokenizer = loaded(folder / kind)
    special = [tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id]
    assert special == [0, 1, 2, 3]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (1, 2)
    ids = tokenizer("the cat")["input_ids"]
    assert (ids[0], ids[-1]) == (1, 2)
    assert 1 not in ids[1:-1]


@pytest.mark.parametrize("kind", ["byte_bpe", "unigram"])
@pytest.mark.parametrize("text", ["the cat", " two  spaces\n\ttab", "更上一層樓", "𠀀 🙂 é ß", "[SEP]"])
def test_text_comes_back_whole(folder: Path, kind: str, text: str) -> None:
    tokenizer = loaded(folder / kind)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert all(token > 3 for token in ids)


def test_vocabulary_is_as_large_as_asked_or_as_the_documents_allow(folder: Path) -> None:
    assert train(folder, "small", vocab_size=320)["vocab_size"] == 320
    assert read_manifest(folder / "small", "tokenizer")["vocab_size"] == 320
    size = train(folder, "large", vocab_size=100_000)["vocab_size"]
    assert 320 < size < 100_000


@pytest.mark.parametrize("kind", KINDS)
def test_extra_special_tokens_have_ids_of_their_own_which_texts_that_name_them_get(folder: Path, kind: str) -> None:
    train(folder, "extra", kind=kind, special_tokens=["<user>", "[CODE]"])
    tokenizer = loaded(folder / "extra")
    ids = tokenizer.convert_tokens_to_ids(["<user>", "[CODE]"])
    assert ids == [4, 5]
    given = tokenizer("<user> says [CODE]", add_special_tokens=False)["input_ids"]
    assert [given[0], given[-1]] == ids
    assert tokenizer.extra_special_tokens == ["<user>", "[CODE]"]


def test_chatml_works_through_transformers(folder: Path) -> None:
    train(folder, "chat", chat_template="chatml")
    tokenizer = loaded(folder / "chat")
    messages = [{"role": "user", "content": "Where is the cat?"}, {"role": "assistant", "content": "欲窮千里目"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|im_start|>user\nWhere is the cat?<|im_end|>\n<|im_start|>assistant\n欲窮千里目<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert tokenizer.decode(ids) == text
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    assert (ids.count(start), ids.count(end)) == (3, 2)


def test_compression_and_waste_are_told(folder: Path) -> None:
    measured = train(folder, "measured")
    assert set(measured["characters_per_token"]) == {"en", "zh"}
    assert measured["characters_per_token"]["en"] > 1.5
    assert measured["round_trip_failures"] == 0
    assert measured["unreachable_tokens"] == 0
    assert measured["unused_tokens"] > 0  # bytes of which the sample has none


def test_the_report_is_written_and_logged(folder: Path) -> None:
    run = RecordedRun()
    paths = (folder / "corpus", folder / "verdict", folder / "logged", folder / "reports")
    train_tokenizer(trainer_config(), *paths, run)
    assert run.files == [folder / "reports"]
    assert "Tokenizer of 400 entries" in (folder / "reports" / "index.html").read_text(encoding="utf-8")


def test_training_without_a_verdict_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no verdict here"):
        train_tokenizer(
            trainer_config(), folder / "corpus", tmp_path, tmp_path / "out", tmp_path / "page", RecordedRun()
        )


@pytest.mark.parametrize(
    ("tokens", "message"),
    [(["user"], "'user' has not the form"), (["<a b>"], "has not the form"), (["<a>", "<a>"], "occurs twice")],
)
def test_special_tokens_that_plain_text_could_give_are_refused(tokens: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trainer_config(special_tokens=tokens)


def test_the_section_has_the_key_from_as_params_yaml_writes_it() -> None:
    config = TrainTokenizerConfig.model_validate(trainer_config(**{"from": "folder"}).model_dump())
    assert config.imported == "folder"
    assert "from" in config.model_dump()
