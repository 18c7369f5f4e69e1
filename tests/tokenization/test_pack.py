"""Packed tokens are the documents, in order, each ended by [SEP], in shards of the asked length."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from components.artifacts import read_manifest, write_manifest
from components.params import TokenizeConfig, TrainTokenizerConfig
from components.run import Metrics, RecordedRun
from components.tokenization.pack import Shards, tokenize
from components.tokenization.train import train_tokenizer

DOCUMENTS = {
    "train": [("en", f"The cat number {number} sat on the mat.") for number in range(700)]
    + [("zh", "白日依山盡，黃河入海流。"), ("en", "A text that says [SEP] and [MASK].")],
    "validation": [("zh", "欲窮千里目"), ("en", "the last one")],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack")
    corpus, verdict = path / "corpus", path / "verdict"
    corpus.mkdir()
    verdict.mkdir()
    for split, documents in DOCUMENTS.items():
        lines = [json.dumps({"text": text, "language": language}) + "\n" for language, text in documents]
        (corpus / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    counts = {"kept": {split: len(documents) for split, documents in DOCUMENTS.items()}}
    write_manifest(corpus, "corpus", {}, counts=counts)
    write_manifest(verdict, "verdict", {})
    config = TrainTokenizerConfig(vocab_size=300, min_frequency=2)
    train_tokenizer(config, corpus, verdict, path / "tokenizer", RecordedRun())
    return path


def packed(folder: Path, to: str, shard_tokens: int) -> Metrics:
    config = TokenizeConfig(shard_tokens=shard_tokens)
    return tokenize(config, folder / "corpus", folder / "tokenizer", folder / to, RecordedRun())


def stream(folder: Path, split: str) -> np.ndarray:
    return np.concatenate([np.fromfile(path, "<u2") for path in sorted(folder.glob(f"{split}-*.bin"))])


def test_stream_is_the_documents_each_ended_by_sep(folder: Path) -> None:
    packed(folder, "whole", 1 << 20)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    ids = stream(folder / "whole", "train")
    documents = np.split(ids, np.flatnonzero(ids == 2) + 1)
    assert documents.pop().size == 0
    assert [tokenizer.decode(document[:-1]) for document in documents] == [text for _, text in DOCUMENTS["train"]]


def test_names_of_special_tokens_in_a_document_are_plain_text(folder: Path) -> None:
    packed(folder, "plain", 1 << 20)
    ids = stream(folder / "plain", "train")
    assert (ids == 2).sum() == len(DOCUMENTS["train"])
    assert not np.isin(ids, [0, 1, 3]).any()


def test_shards_hold_the_asked_number_of_tokens_and_the_same_stream(folder: Path) -> None:
    packed(folder, "whole", 1 << 20)
    packed(folder, "shards", 1024)
    shards = read_manifest(folder / "shards", "tokens")["splits"]["train"]["shards"]
    assert len(shards) > 3
    assert {shard["tokens"] for shard in shards[:-1]} == {1024}
    assert [shard["file"] for shard in shards[:2]] == ["train-00000.bin", "train-00001.bin"]
    assert np.array_equal(stream(folder / "shards", "train"), stream(folder / "whole", "train"))


def test_manifest_and_metrics_count_every_token_once(folder: Path) -> None:
    metrics = packed(folder, "counts", 1024)
    manifest = read_manifest(folder / "counts", "tokens")
    for split, documents in DOCUMENTS.items():
        length = len(stream(folder / "counts", split))
        assert manifest["splits"][split]["tokens"] == length == metrics["tokens"][split]
        assert manifest["splits"][split]["documents"] == len(documents)
    assert sum(metrics["languages"].values()) == sum(metrics["tokens"].values())
    assert (manifest["dtype"], manifest["vocab_size"]) == ("uint16", 300)


def test_same_documents_give_the_same_bytes(folder: Path) -> None:
    for to in ("one", "two"):
        packed(folder, to, 2048)
    one, two = ({path.name: path.read_bytes() for path in (folder / to).iterdir()} for to in ("one", "two"))
    assert one == two


def test_large_vocabularies_take_four_bytes_a_token(tmp_path: Path) -> None:
    shards = Shards(tmp_path, "train", np.dtype("<u4"), shard_tokens=3)
    shards.add(np.array([70_000, 1, 2, 3, 4]))
    shards.add(np.array([5]))
    assert [shard["tokens"] for shard in shards.files] == [3, 3]
    assert np.fromfile(tmp_path / "train-00000.bin", "<u4").tolist() == [70_000, 1, 2]
    assert np.fromfile(tmp_path / "train-00001.bin", "<u4").tolist() == [3, 4, 5]
