"""Documents in parquet to packed uint16 ids, and the training of a tokenizer: ours beside the peers, in turn.

python -m benchmarks.tokenization                       all of data/corpus, some five minutes
python -m benchmarks.tokenization --share 0.05 --rounds 1

Every measurement is a fresh process with all cores, from its start to the last byte on the disk. All encode with one
byte-level BPE tokenizer; ids and merges are compared each time, and on English, Chinese, code and broken Unicode.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.peers.environment import PEERS, call_script, peer_python
from components.artifacts import write_manifest
from components.corpus.documents import shard_paths, write_shard

ROOT = Path(__file__).parent.parent
SIZE = 8192
GOALS = {"datasets.map + group_texts": 20.0, "tokenizers encode_batch": 10.0, "tiktoken": 5.0}
TRAINING_GOAL = 4.0
LARGER = 10
"""Times the corpus for which memory may grow by ALLOWED."""
ALLOWED = 1.2
BLOCK = 1024
SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]
HARD = {
    "english": "It's the cat's mat; we'LL see: I'd 3 dogs…  two  spaces\n\n\tand a tab ",
    "chinese": "白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。《登鸛雀樓》 𠀀㐀",
    "code": "def f(x):\n    return x[0:]  # {}\t\n\n\nclass A:\n\tpass\r\n",
    "broken": "\ufffd\ufffd e\u0301\u0301 \u200b\u200d \u2028\x85\xa0 a\x00b\x7f 👩\u200d👧 \U0010ffff ½²٣ [SEP]",
}
"""Repeated with a number, these follow the sample data in the corpus."""


def main() -> int:
    """Measure and write benchmarks/results/tokenization.json."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--share", type=float, default=1.0, help="of the documents of data/corpus")
    options.add_argument("--times", type=int, default=5, help="the documents, each time in other letters")
    options.add_argument("--rounds", type=int, default=3, help="an odd number")
    options.add_argument("--run", nargs=3, metavar=("CONTENDER", "FOLDER", "BEGAN"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.run:
        print(json.dumps(contend(chosen.run[0], Path(chosen.run[1]), float(chosen.run[2]))))
        return 0
    from benchmarks.report import Figure, median_round, report

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for corpus, times in (("once", 1), ("corpus", chosen.times), ("larger", LARGER)):
            write_corpus(folder / corpus, chosen.share, times)
        training = in_turn(folder, ("train", "train by Hugging Face"), chosen.rounds)
        encoding = in_turn(folder, ("ours", *GOALS), chosen.rounds)
        memory = {name: measured(folder, name)["megabytes"] for name in ("ours, once", "ours, larger")}
    figures = {
        f"encode and pack: ours, {peer}": median_round(encoding["ours"], encoding[peer], "s", goal)
        for peer, goal in GOALS.items()
    }
    figures["train: ours, Hugging Face"] = median_round(
        training["train"], training["train by Hugging Face"], "s", TRAINING_GOAL
    )
    allowed = ALLOWED * memory["ours, once"]
    figures[f"peak memory: {LARGER} x the corpus, {ALLOWED} x the memory of one"] = Figure(
        memory["ours, larger"], allowed, "MB", 1.0
    )
    pins = ", ".join((PEERS / "tokenization.txt").read_text().split())
    note = (
        f"{chosen.times} x data/corpus; fresh processes in turn, {os.cpu_count()} cores, the round with the median "
        f"ratio; ids identical; {pins}"
    )
    report("tokenization", figures, ("gigatoken", "tokenizers", "datasets", "transformers"), note)
    return 0


def write_corpus(folder: Path, share: float, times: int) -> None:
    """The sample data as curated shards. Each further time has other letters, so that no word is met again."""
    sources = sorted((ROOT / "data" / "corpus").glob("*.jsonl.gz"))
    kept = {"train": 0, "validation": 1}
    for path in sources:
        source = path.name.partition(".")[0]
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            texts = [json.loads(line)["text"] for line in lines]
        texts = texts[: max(1, int(share * len(texts)))]
        for number in range(times):
            write_shard(folder / "train" / f"{source}-{number:05d}.parquet", rows(source, shifted(texts, number)))
            kept["train"] += len(texts)
    hard = [f"{text}{number}" for number in range(50) for text in HARD.values()]
    write_shard(folder / "train" / "zz_hard-00000.parquet", rows("zz_hard", hard))
    write_shard(folder / "validation" / "zz_hard-00000.parquet", rows("zz_hard", hard[:1]))
    kept["train"] += len(hard)
    write_manifest(folder, "corpus", {}, counts={"kept": kept})


def rows(source: str, texts: list[str]) -> list[dict[str, Any]]:
    return [
        {"id": f"{source}/{line}", "text": text, "source": source, "language": "en", "file": source, "line": line}
        for line, text in enumerate(texts, start=1)
    ]


def shifted(texts: list[str], by: int) -> list[str]:
    """Texts with every Latin letter and Han character moved on: other words, of the same lengths and frequencies."""
    ranges = ((0x61, 26), (0x41, 26), (0x4E00, 0x51A6))
    table = {first + place: first + (place + by) % count for first, count in ranges for place in range(count)}
    return [text.translate(table) for text in texts] if by else texts


def in_turn(folder: Path, contenders: tuple[str, ...], rounds: int) -> dict[str, list[float]]:
    """Seconds of each contender in each round. Ends the benchmark where one gives another result than the first."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    results: dict[str, str] = {}
    for number in range(rounds):
        for name in contenders:
            found = measured(folder, name)
            seconds[name].append(found["seconds"])
            results[name] = found["result"]
            print(f"round {number + 1}: {name}: {found['seconds']:.2f} s", flush=True)
            if found["result"] != results[contenders[0]]:
                sys.exit(f"{name} gives another result than {contenders[0]}")
    return seconds


def measured(folder: Path, name: str) -> dict[str, Any]:
    """One contender's run."""
    settings = {"LIANZI_CACHE": str(folder / f"cache-{time.time_ns()}"), "HF_HOME": str(folder / "huggingface")}
    settings |= {"TMPDIR": str(folder), "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": ""}
    if name == "tiktoken":
        python = peer_python("tokenization")
        return call_script(python, PEERS / "tokenization_tiktoken.py", folder, time.time(), **settings)
    if name in ("ours, once", "ours, larger"):
        settings |= {"LIANZI_WORKERS": "1"}
    return call_script(
        Path(sys.executable), "-m", "benchmarks.tokenization", "--run", name, folder, time.time(), **settings
    )


def contend(name: str, folder: Path, began: float) -> dict[str, Any]:
    """What one contender needed since `began`; what it made, hashed when the clock has stopped."""
    made = CONTENDERS[name](folder)
    seconds = time.time() - began
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    hashed = hashlib.sha256()
    for part in made():
        hashed.update(part)
    return {"seconds": seconds, "megabytes": megabytes, "result": hashed.hexdigest()}


Made = Callable[[], Iterator[bytes]]


def ours(folder: Path, corpus: str = "corpus") -> Made:
    from components.params import load_params
    from components.run import RecordedRun
    from components.tokenization.config import TokenizeConfig
    from components.tokenization.pack import tokenize

    shard_tokens = load_params(ROOT / "params.yaml").tokenize.shard_tokens
    target = folder / f"tokens-{time.time_ns()}"
    tokenize(
        TokenizeConfig(shard_tokens=shard_tokens), {}, folder / corpus, folder / "tokenizer", target, RecordedRun()
    )
    return lambda: (path.read_bytes() for path in sorted((target / "train").glob("*.bin")))


def encode_batch(folder: Path) -> Made:
    """As one would by hand: columns read, batches encoded by all cores, ids appended to a file."""
    import numpy as np
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer" / "tokenizer.json"))
    tokenizer.encode_special_tokens = True
    target = folder / "encode_batch.bin"
    with target.open("wb") as stream:
        for path in shard_paths(folder / "corpus", "train"):
            for batch in pq.ParquetFile(path).iter_batches(4096, columns=["text"]):
                encoded = tokenizer.encode_batch(batch.column("text").to_pylist(), add_special_tokens=False)
                ids = [token for encoding in encoded for token in (*encoding.ids, 2)]
                stream.write(np.asarray(ids, dtype="<u2").tobytes())
    return lambda: iter([target.read_bytes()])


def datasets_map(folder: Path) -> Made:
    """Hugging Face's recipe for language models, the rest of a batch kept so that the stream is whole."""
    import numpy as np
    from datasets import disable_progress_bars, load_dataset
    from transformers import AutoTokenizer

    disable_progress_bars()
    tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", trust_remote_code=False)
    files = [str(path) for path in shard_paths(folder / "corpus", "train")]
    cache = str(folder / f"datasets-{time.time_ns()}")
    texts = load_dataset("parquet", data_files=files, split="train", columns=["text"], cache_dir=cache)

    def encode(rows: dict[str, list[str]]) -> dict[str, Any]:
        return {"input_ids": [[*ids, 2] for ids in tokenizer(rows["text"], add_special_tokens=False)["input_ids"]]}

    def group(rows: dict[str, list[list[int]]]) -> dict[str, Any]:
        joined = [token for ids in rows["input_ids"] for token in ids]
        return {"input_ids": [joined[start : start + BLOCK] for start in range(0, len(joined), BLOCK)]}

    workers = os.cpu_count()
    encoded = texts.map(encode, batched=True, num_proc=workers, remove_columns=["text"])
    grouped = encoded.map(group, batched=True, num_proc=workers)
    return lambda: (np.asarray(row["input_ids"], dtype="<u2").tobytes() for row in grouped)


def trained(folder: Path, by: str) -> Made:
    from components.tokenization import byte_bpe
    from components.tokenization.special_tokens import SPECIAL_TOKENS, add_template, transformers_config

    train = {"ours": byte_bpe.train_byte_bpe, "Hugging Face": byte_bpe.by_hugging_face}[by]
    tokenizer = train(SIZE, 2, SPECIAL, shard_paths(folder / "corpus", "train"))
    add_template(tokenizer)
    target = folder / "tokenizer"
    target.mkdir(exist_ok=True)
    tokenizer.save(str(target / "tokenizer.json"))
    config = transformers_config(SPECIAL_TOKENS, [], None)
    (target / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    write_manifest(target, "tokenizer", {}, vocab_size=tokenizer.get_vocab_size())
    return lambda: iter([(target / "tokenizer.json").read_bytes()])


CONTENDERS: dict[str, Callable[[Path], Made]] = {
    "ours": ours,
    "ours, once": lambda folder: ours(folder, "once"),
    "ours, larger": lambda folder: ours(folder, "larger"),
    "tokenizers encode_batch": encode_batch,
    "datasets.map + group_texts": datasets_map,
    "train": lambda folder: trained(folder, "ours"),
    "train by Hugging Face": lambda folder: trained(folder, "Hugging Face"),
}

if __name__ == "__main__":
    sys.exit(main())
