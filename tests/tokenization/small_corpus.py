"""Small curated corpora in the format of the stage `curate`, and what else the tokenization stages take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.artifacts import write_manifest
from components.corpus.documents import write_shard
from components.run import Metrics, RecordedRun
from components.tokenization.config import TokenizeConfig, TrainTokenizerConfig
from components.tokenization.pack import tokenize
from components.tokenization.train import train_tokenizer

Rows = Sequence[tuple[str, str]]
"""(language, text)"""

ENGLISH = [("en", f"The cat number {number} sat on the mat, and it's glad.") for number in range(60)]
CHINESE = [("zh", f"白日依山盡，黃河入海流。欲窮千里目，更上{number}層樓。") for number in range(40)]
CODE = [("en", f"def f{number}(x):\n    return x[{number}:]  # {{}}\t\n\n\nclass A:\n\tpass") for number in range(30)]
BROKEN = [
    ("en", text)
    for text in (
        "\ufffd\ufffd half \ufffd",
        "e\u0301\u0301 \u200b\u200d \u2028 \x85 \xa0 tail  ",
        "a\x00b\x01\x7f",
        "𠀀𠀀🙂👩\u200d👩\u200d👧 \U0010ffff \ud7ff\ue000",
        "\ufdd0\ufdd1 what ends a document inside\ufdd0\ufdd1",
        "\ufdd0",
        "",
        " ",
        "\n\n",
        "½ ² ٣٤ I'LL we'Ve 'S",
    )
]
SPECIAL = [("en", "A text that says [SEP] and [MASK], [PAD][CLS]."), ("zh", "[SEP]")]
EVERYTHING = [*ENGLISH, *CHINESE, *CODE, *BROKEN, *SPECIAL]


def documents(source: str, rows: Rows) -> list[dict[str, Any]]:
    return [
        {"id": f"{source}/{line}", "text": text, "source": source, "language": language}
        | {"licence": "MIT", "file": f"corpus/{source}.jsonl", "line": line}
        for line, (language, text) in enumerate(rows, start=1)
    ]


def write_corpus(folder: Path, train: Mapping[str, Rows], validation: Mapping[str, Rows]) -> Path:
    """`train` and `validation`: rows by the name of their shard, which is that of their source with a number."""
    kept = {}
    for split, shards in (("train", train), ("validation", validation)):
        for name, rows in shards.items():
            write_shard(folder / split / f"{name}.parquet", documents(name.partition("-")[0], rows))
        kept[split] = sum(map(len, shards.values()))
    write_manifest(folder, "corpus", {}, counts={"kept": kept})
    return folder


def small_corpus(folder: Path) -> Path:
    """English, Chinese, code, broken Unicode and names of special tokens in three shards."""
    train = {"garden-00000": [*ENGLISH, *CODE], "poems-00000": CHINESE, "strange-00000": [*BROKEN, *SPECIAL]}
    return write_corpus(folder, train, {"garden-00000": ENGLISH[:5], "poems-00000": [*CHINESE[:5], *SPECIAL]})


def trainer_config(**changes: Any) -> TrainTokenizerConfig:
    defaults: dict[str, Any] = {"kind": "byte_bpe", "vocab_size": 400, "min_frequency": 2, "from": None, "extend": 0}
    return TrainTokenizerConfig(**{**defaults, "special_tokens": [], "chat_template": None, **changes})


def train(folder: Path, to: str = "tokenizer", **changes: Any) -> Metrics:
    """Train on folder/corpus into folder/TO."""
    verdict = folder / "verdict"
    verdict.mkdir(exist_ok=True)
    write_manifest(verdict, "verdict", {})
    paths = (folder / "corpus", verdict, folder / to, folder / f"{to}-report")
    return train_tokenizer(trainer_config(**changes), *paths, RecordedRun())


def pack(folder: Path, to: str = "tokens", shard_tokens: int = 1 << 20, sources: Any = None) -> Metrics:
    """Encode folder/corpus with folder/tokenizer into folder/TO."""
    config = TokenizeConfig(shard_tokens=shard_tokens)
    return tokenize(config, sources or {}, folder / "corpus", folder / "tokenizer", folder / to, RecordedRun())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
