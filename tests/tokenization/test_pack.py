"""Packed tokens are the documents, in order, each ended by [SEP]; what is as before is not encoded anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from components.artifacts import read_manifest
from components.corpus.config import SourceConfig
from components.errors import ArtifactError, ParameterError
from components.tokenization import pack as stage
from components.tokenization import shards
from components.tokenization.reader import PackedTokens
from tests.tokenization.small_corpus import (
    BROKEN,
    CHINESE,
    CODE,
    ENGLISH,
    SPECIAL,
    contents,
    pack,
    small_corpus,
    train,
    write_corpus,
)

TRAIN = [text for rows in (ENGLISH, CODE, CHINESE, BROKEN, SPECIAL) for _, text in rows]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIANZI_WORKERS", "1")
    small_corpus(tmp_path / "corpus")
    train(tmp_path)
    return tmp_path


def stream(tokens: Path, split: str = "train") -> np.ndarray:
    packed = PackedTokens(tokens, split)
    return packed.gather(np.array([0]), len(packed))[0]


def source(weight: float) -> SourceConfig:
    return SourceConfig(weight=weight, language="en", licence="MIT")


def test_stream_is_the_documents_each_ended_by_sep(folder: Path) -> None:
    pack(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    ids = stream(folder / "tokens")
    documents = np.split(ids, np.flatnonzero(ids == 2) + 1)
    assert documents.pop().size == 0
    assert [tokenizer.decode(document[:-1]) for document in documents] == TRAIN
    assert not np.isin(ids, [0, 1, 3]).any()


def test_files_hold_at_most_the_asked_number_of_tokens_and_the_same_stream(folder: Path) -> None:
    pack(folder, "whole")
    pack(folder, "parts", shard_tokens=1024)
    files = read_manifest(folder / "parts", "tokens")["splits"]["train"]["shards"]
    names = [file["file"] for file in files]
    assert names[:2] == ["train/garden-00000-00000.bin", "train/garden-00000-00001.bin"]
    assert files[0]["tokens"] == 1024
    assert len(files) == 4
    assert np.array_equal(stream(folder / "parts"), stream(folder / "whole"))


def test_manifest_and_metrics_count_every_token_once(folder: Path) -> None:
    metrics = pack(folder)
    manifest = read_manifest(folder / "tokens", "tokens")
    for split in ("train", "validation"):
        length = len(stream(folder / "tokens", split))
        assert manifest["splits"][split]["tokens"] == length == metrics["tokens"][split]
    assert metrics["documents"] == {"train": len(TRAIN), "validation": 12}
    for name, keys in (("languages", {"en", "zh"}), ("sources", {"garden", "poems", "strange"})):
        assert set(metrics[name]) == keys
        assert sum(metrics[name].values()) == sum(metrics["tokens"].values())
    assert (manifest["dtype"], manifest["vocab_size"]) == ("uint16", 400)


def test_same_documents_give_the_same_bytes_without_the_cache_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(folder, "one")
    monkeypatch.setenv("LIANZI_CACHE", str(folder / "another"))
    pack(folder, "two")
    assert contents(folder / "one") == contents(folder / "two")


def test_unchanged_shards_are_not_encoded_anew_and_changed_ones_are(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(folder, "before")
    encoded: list[str] = []
    write = shards._write
    monkeypatch.setattr(shards, "_write", lambda job, *rest: encoded.append(job.shard.stem) or write(job, *rest))
    pack(folder, "again")
    assert encoded == []
    rows = {"garden-00000": [*ENGLISH, *CODE], "poems-00000": CHINESE[1:], "strange-00000": [*BROKEN, *SPECIAL]}
    write_corpus(folder / "corpus", rows, {"garden-00000": ENGLISH[:5]})
    pack(folder, "after")
    assert encoded == ["poems-00000"]
    monkeypatch.setenv("LIANZI_CACHE", str(folder / "empty"))
    pack(folder, "rebuilt")
    assert contents(folder / "after") == contents(folder / "rebuilt") != contents(folder / "before")


def test_another_tokenizer_or_file_length_finds_nothing_in_the_cache(folder: Path) -> None:
    pack(folder, "one")
    made = set((folder / "cache" / "tokens").iterdir())
    pack(folder, "two", shard_tokens=2048)
    train(folder, vocab_size=350)
    pack(folder, "three")
    assert len(set((folder / "cache" / "tokens").iterdir()) - made) == 10
    assert read_manifest(folder / "three", "tokens")["vocab_size"] == 350


def test_shards_damaged_in_the_cache_are_made_again(folder: Path) -> None:
    pack(folder, "one")
    expected = contents(folder / "one")
    for path in (folder / "cache" / "tokens").rglob("*.bin"):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content[:-1] + b"?")
    pack(folder, "two")
    assert contents(folder / "two") == expected


def test_workers_give_the_bytes_that_one_process_gives(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(folder, "one")
    monkeypatch.setenv("LIANZI_WORKERS", "2")
    monkeypatch.setenv("LIANZI_CACHE", str(folder / "another"))
    monkeypatch.setattr(stage, "WORTH_WORKERS", 0)
    pack(folder, "two")
    assert contents(folder / "one") == contents(folder / "two")


@pytest.mark.parametrize("part", [1, 700, 1 << 30])
def test_threads_and_parts_of_any_size_give_the_same_bytes(
    folder: Path, part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(folder, "one")
    monkeypatch.setenv("LIANZI_WORKERS", "3")
    monkeypatch.setenv("LIANZI_CACHE", str(folder / "another"))
    monkeypatch.setattr(shards, "PART", part)
    pack(folder, "two")
    assert contents(folder / "one") == contents(folder / "two")


def test_weights_take_documents_by_halves_and_twice_in_the_train_split_alone(folder: Path) -> None:
    plain = pack(folder, "plain")
    sources = {"garden": source(0.5), "poems": source(2.0), "strange": source(0.0), "elsewhere": source(3.0)}
    weighted = pack(folder, "weighted", sources=sources)
    assert contents(folder / "plain" / "validation") == contents(folder / "weighted" / "validation")
    taken = weighted["documents"]["train"] - 2 * len(CHINESE)
    assert 0.3 * 90 < taken < 0.7 * 90
    poems = plain["sources"]["poems"] - len(stream(folder / "plain", "validation"))
    assert weighted["sources"]["poems"] > plain["sources"]["poems"] > poems
    assert weighted["sources"]["garden"] < plain["sources"]["garden"]
    train_ids = PackedTokens(folder / "weighted", "train")
    twice = train_ids.gather(np.array([0]), len(train_ids))[0]
    half = read_manifest(folder / "weighted", "tokens")["splits"]["train"]["lineage"][1]["tokens"] // 2
    first = read_manifest(folder / "weighted", "tokens")["splits"]["train"]["lineage"][0]["tokens"]
    assert np.array_equal(twice[first : first + half], twice[first + half : first + 2 * half])


def test_another_weight_encodes_the_shards_of_its_source_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(folder)
    encoded: list[str] = []
    write = shards._write
    monkeypatch.setattr(shards, "_write", lambda job, *rest: encoded.append(job.shard.stem) or write(job, *rest))
    pack(folder, sources={"poems": source(3.0)})
    assert encoded == ["poems-00000"]


def test_weights_that_leave_nothing_to_train_on_are_refused(folder: Path) -> None:
    nothing = {name: source(0.0) for name in ("garden", "poems", "strange")}
    with pytest.raises(ParameterError, match="corpus: no document is left to train on"):
        pack(folder, sources=nothing)
    assert not (folder / "tokens").exists()


def test_a_damaged_shard_of_documents_is_named(folder: Path) -> None:
    path = folder / "corpus" / "train" / "poems-00000.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ArtifactError, match=r"poems-00000\.parquet: damaged"):
        pack(folder)


PROGRAM = """
import sys
from pathlib import Path
import components.tokenization.pack as stage
from tests.tokenization.small_corpus import pack
stage.WORTH_WORKERS = 0
if __name__ == "__main__":
    pack(Path(sys.argv[1]), "killed")
"""
SLOW = """
from components.tokenization import shards
write = shards._write
def slow(job, *rest):
    import time
    found = write(job, *rest)
    time.sleep(0.7)
    return found
shards._write = slow
"""


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["worker", "everything"])
def test_a_rerun_after_a_kill_ends_with_the_same_bytes(folder: Path, root: Path, victim: str) -> None:
    pack(folder, "whole")
    script, slow = folder / "run.py", folder / "site"
    slow.mkdir()
    (slow / "sitecustomize.py").write_text(SLOW)
    script.write_text(PROGRAM)
    environment = os.environ | {"LIANZI_WORKERS": "2", "LIANZI_CACHE": str(folder / "fresh")}
    environment["PYTHONPATH"] = os.pathsep.join([str(slow), str(root)])
    process = subprocess.Popen([sys.executable, str(script), str(folder)], env=environment, start_new_session=True)
    cache = folder / "fresh" / "tokens"
    while not list(cache.glob(".*.partial")):
        assert process.poll() is None
        time.sleep(0.02)
    if victim == "worker":
        os.kill(_children(process.pid)[-1], signal.SIGKILL)
        assert process.wait(60) == 0
    else:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        assert not (folder / "killed").exists()
        subprocess.run([sys.executable, str(script), str(folder)], env=environment, check=True, timeout=60)
    assert contents(folder / "killed") == contents(folder / "whole")


def _children(parent: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(parent).children() if "spawn_main" in " ".join(child.cmdline())]
