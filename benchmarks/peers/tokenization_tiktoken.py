"""tiktoken, in an environment of its own: parquet to packed uint16 ids with the merges of a tokenizer.json.

python tokenization_tiktoken.py FOLDER BEGAN, which holds corpus/train/*.parquet and tokenizer/tokenizer.json.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import tiktoken

SPLIT = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""GPT-2's."""
END = 2
BATCH = 4096


def ranks(path: Path) -> dict[bytes, int]:
    """Bytes of each token -> its id, which grows with the rank of its merge."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
    content = json.loads(path.read_text(encoding="utf-8"))
    special = {token["content"] for token in content["added_tokens"]}
    vocabulary = content["model"]["vocab"].items()
    return {bytes(letters[letter] for letter in token): index for token, index in vocabulary if token not in special}


def main() -> None:
    folder, began = Path(sys.argv[1]), float(sys.argv[2])
    encoding = tiktoken.Encoding(
        "bpe", pat_str=SPLIT, mergeable_ranks=ranks(folder / "tokenizer" / "tokenizer.json"), special_tokens={}
    )
    target = folder / "tiktoken.bin"
    with target.open("wb") as stream:
        for path in sorted((folder / "corpus" / "train").glob("*.parquet")):
            for batch in pq.ParquetFile(path).iter_batches(BATCH, columns=["text"]):
                texts = batch.column("text").to_pylist()
                encoded = encoding.encode_ordinary_batch(texts, num_threads=os.cpu_count() or 1)
                ids = [token for part in encoded for token in (*part, END)]
                stream.write(np.asarray(ids, dtype="<u2").tobytes())
    seconds = time.time() - began
    print(json.dumps({"seconds": seconds, "result": hashlib.sha256(target.read_bytes()).hexdigest()}))


if __name__ == "__main__":
    main()
