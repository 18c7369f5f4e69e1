"""A made-up corpus in four formats and a made-up task go all the way to packed tokens, as the guide says."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from components.artifacts import read_manifest
from components.corpus.config import ValidateConfig
from components.corpus.curate import curate
from components.params import load_params
from components.run import Metrics, RecordedRun
from components.tasks.config import TaskConfig
from components.tokenization.config import TokenizeConfig, TrainTokenizerConfig
from components.tokenization.pack import tokenize
from components.tokenization.reader import PackedTokens
from components.tokenization.train import train_tokenizer
from components.validation.validate import validate

PLANTS = ("oak", "fern", "moss", "rose", "reed", "thyme", "maple", "cedar")
TRAINING: dict[str, Any] = {"kind": "byte_bpe", "vocab_size": 400, "min_frequency": 2, "from": None, "extend": 0}
TRAINING |= {"special_tokens": [], "chat_template": None}
TASKS = {"mood": TaskConfig(kind="classification", language="zh", max_length=32)}


def csv_corpus(folder: Path) -> None:
    """As a spreadsheet program saves it: byte order mark, Windows line ends."""
    with (folder / "garden.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\r\n")
        writer.writerow(["title", "text"])
        writer.writerows(
            [plant, f"The {plant}, in year {year}, grew\r\nwell."] for plant in PLANTS for year in range(9)
        )


def txt_corpus(folder: Path) -> None:
    verses = "\n\n".join(f"白日依山盡，黃河入海流。\n欲窮千里目，更上第{number}層樓。" for number in range(40))
    (folder / "verse_zh.txt.gz").write_bytes(gzip.compress(verses.encode()))


def parquet_corpus(folder: Path) -> None:
    rows = [{"id": year, "text": f"In the spring of {year} it rained for days.", "extra": 0.5} for year in range(40)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "weather.parquet")


def jsonl_corpus(folder: Path) -> None:
    rows = [{"text": f"第{number}封信：一切都好，勿念。", "language": "zh-Hans"} for number in range(40)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "letters.jsonl.zst").write_bytes(zstandard.ZstdCompressor().compress(lines.encode()))


def mood_task(folder: Path) -> None:
    for split, season, count in (("train", "春", 30), ("validation", "夏", 10), ("test", "秋", 10)):
        rows = [f"{season}季第{number}天很{'好' if number % 2 else '糟'}\t{number % 2}" for number in range(count)]
        (folder / f"{split}.tsv").write_text("\n".join(["text\tlabel", *rows]) + "\n", encoding="utf-8")


def tokens_of(folder: Path) -> dict[str, Metrics]:
    """Run the four data stages in `folder`; returns their metrics."""
    data, pages, run = folder / "data", folder / "reports", RecordedRun()
    corpus, labelled, verdict, tokenizer, tokens = (
        folder / "artifacts" / name for name in ("corpus", "tasks", "validation", "tokenizer", "tokens")
    )
    curating = {"min_characters": 10, "max_characters": 500, "validation_fraction": 0.1}
    curation = load_params(Path(__file__).parent.parent / "params.yaml").curate.model_copy(update=curating)
    bounds: dict[str, Any] = {"min_documents": 100, "min_language_share": 0.97}
    bounds |= {"min_class_share": 0.1, "max_null_share": 0.0, "length_quantiles": [[0.5, 10, 500]]}
    bounds |= {"max_duplicate_share": 0.0, "max_personal_data_share": 0.0, "max_label_conflict_share": 0.0}
    bounds |= {"accepted": None, "max_drift": 0.25}
    return {
        "curate": curate(curation, {}, TASKS, 17, data, folder / "none", corpus, labelled, pages / "curation", run),
        "validate": validate(ValidateConfig(**bounds), TASKS, corpus, labelled, verdict, pages / "validation", run),
        "train_tokenizer": train_tokenizer(
            TrainTokenizerConfig(**TRAINING), corpus, verdict, tokenizer, pages / "tokenizer", run
        ),
        "tokenize": tokenize(TokenizeConfig(shard_tokens=1024), {}, corpus, tokenizer, tokens, run),
    }


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "data" / "corpus").mkdir(parents=True)
    (folder / "data" / "tasks" / "mood").mkdir(parents=True)
    for write in (csv_corpus, txt_corpus, parquet_corpus, jsonl_corpus):
        write(folder / "data" / "corpus")
    mood_task(folder / "data" / "tasks" / "mood")
    return folder


@pytest.fixture(autouse=True)
def _inside_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)


def test_own_data_of_every_kind_becomes_packed_tokens(project: Path) -> None:
    metrics = tokens_of(project)
    assert metrics["curate"]["documents"]["read"] == 8 * 9 + 3 * 40
    assert metrics["curate"]["languages"] == {"en": 8 * 9 + 40, "zh": 80}
    assert sum(metrics["curate"]["quarantined"].values()) == 0
    assert metrics["curate"]["tasks"]["mood"]["classes"] == 2
    assert metrics["validate"]["rows"]["mood_test"] == 10
    packed = PackedTokens(project / "artifacts" / "tokens", "train")
    assert len(packed) == metrics["tokenize"]["tokens"]["train"] > 2048


def test_lineage_runs_from_tokens_back_to_the_corpus(project: Path) -> None:
    tokens_of(project)
    artifacts = project / "artifacts"
    made_from = [
        read_manifest(artifacts / "tokens", "tokens")["made_from"]["corpus"],
        read_manifest(artifacts / "tokenizer", "tokenizer")["made_from"]["corpus"],
        read_manifest(artifacts / "validation", "verdict")["made_from"]["corpus"],
    ]
    assert len(set(made_from)) == 1
