"""The tokenizer is the same each time, loses no byte, and loads as a transformers tokenizer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.artifacts import read_manifest, write_manifest
from components.errors import ArtifactError
from components.params import TrainTokenizerConfig
from components.run import Metrics, RecordedRun
from components.tokenization.train import train_tokenizer

CONFIG = TrainTokenizerConfig(vocab_size=400, min_frequency=2)
TEXTS = {
    "en": [f"The cat number {number} sat on the mat, and the cat was glad." for number in range(40)],
    "zh": [f"白日依山盡，黃河入海流。欲窮千里目，更上一層樓。{number}" for number in range(20)],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus, verdict = tmp_path / "corpus", tmp_path / "verdict"
    corpus.mkdir()
    verdict.mkdir()
    rows = [{"text": text, "language": language} for language, texts in TEXTS.items() for text in texts]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (corpus / "train.jsonl").write_text(lines, encoding="utf-8")
    (corpus / "validation.jsonl").write_text(lines, encoding="utf-8")
    write_manifest(corpus, "corpus", {})
    write_manifest(verdict, "verdict", {})
    return tmp_path


def trained(folder: Path, to: str = "tokenizer", config: TrainTokenizerConfig = CONFIG) -> Metrics:
    return train_tokenizer(config, folder / "corpus", folder / "verdict", folder / to, RecordedRun())


def test_same_documents_give_the_same_bytes_with_any_number_of_threads(folder: Path, root: Path) -> None:
    trained(folder, "one")
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); folder = Path(sys.argv[2])\n"
        "from components.tokenization.train import train_tokenizer\n"
        "from components.params import TrainTokenizerConfig as Config\n"
        "from components.run import RecordedRun\n"
        "config = Config(vocab_size=400, min_frequency=2)\n"
        "train_tokenizer(config, folder / 'corpus', folder / 'verdict', folder / 'two', RecordedRun())\n"
    )
    environment = os.environ | {"RAYON_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-c", program, str(root), str(folder)], check=True, env=environment)
    one, two = ({path.name: path.read_bytes() for path in (folder / name).iterdir()} for name in ("one", "two"))
    assert one == two
    assert set(one) == {"tokenizer.json", "tokenizer_config.json", "manifest.json"}


def test_transformers_loads_it_with_the_agreed_special_tokens(folder: Path) -> None:
    from transformers import AutoTokenizer

    trained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    special = [tokenizer.pad_token_id, tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id]
    assert special == [0, 1, 2, 3]
    assert (tokenizer.bos_token_id, tokenizer.eos_token_id) == (1, 2)
    ids = tokenizer("the cat")["input_ids"]
    assert (ids[0], ids[-1]) == (1, 2)
    assert 1 not in ids[1:-1]


@pytest.mark.parametrize("text", ["the cat", " two  spaces\n\ttab", "更上一層樓", "𠀀 🙂 é ß", "[SEP]"])
def test_text_comes_back_whole(folder: Path, text: str) -> None:
    from transformers import AutoTokenizer

    trained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer")
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert all(token > 3 for token in ids)


def test_vocabulary_is_as_large_as_asked_or_as_the_documents_allow(folder: Path) -> None:
    assert trained(folder, config=TrainTokenizerConfig(vocab_size=320, min_frequency=2))["vocab_size"] == 320
    assert read_manifest(folder / "tokenizer", "tokenizer")["vocab_size"] == 320
    size = trained(folder, config=TrainTokenizerConfig(vocab_size=100_000, min_frequency=2))["vocab_size"]
    assert 320 < size < 100_000


def test_compression_is_told_for_each_language(folder: Path) -> None:
    measured = trained(folder)["characters_per_token"]
    assert set(measured) == {"en", "zh"}
    assert measured["en"] > 1.5


def test_training_without_a_verdict_is_refused(folder: Path) -> None:
    (folder / "verdict" / "manifest.json").unlink()
    with pytest.raises(ArtifactError, match="no verdict here"):
        trained(folder)
