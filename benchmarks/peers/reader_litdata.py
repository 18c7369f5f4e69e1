"""Packed tokens with litdata: optimized for TokensLoader, read by StreamingDataset and StreamingDataLoader.

reader_litdata.py prepare TOKENS.npy FOLDER LENGTH
reader_litdata.py measure FOLDER VARIANT LENGTH BATCH_SIZE TOKENS
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from litdata import StreamingDataLoader, StreamingDataset, TokensLoader, optimize
from reader_pace import pace

VARIANTS = {"uint16": torch.uint16, "int64": torch.int64}
"""Stored as small as ours, cast when read; or stored as the model wants it."""
PIECE = 2**20
CHUNK = 2**24


def main() -> None:
    match sys.argv[1:]:
        case ["prepare", tokens, folder, length]:
            for variant in VARIANTS:
                prepare(Path(tokens), Path(folder) / variant, int(length), variant)
            print("{}")
        case ["measure", folder, variant, length, batch_size, tokens]:
            shape = (int(batch_size), int(length))
            print(pace(lambda: batches(Path(folder) / variant, *shape), shape, int(tokens)))
        case _:
            sys.exit(__doc__)


def prepare(tokens: Path, folder: Path, length: int, variant: str) -> None:
    """Chunks of a whole number of windows."""
    optimize(
        fn=partial(piece, tokens, variant),
        inputs=list(range(0, len(np.load(tokens, mmap_mode="r")), PIECE)),
        output_dir=str(folder),
        chunk_size=CHUNK // length * length,
        item_loader=TokensLoader(),
        num_workers=1,
        verbose=False,
    )


def piece(tokens: Path, variant: str, start: int) -> Iterator[torch.Tensor]:
    part = np.load(tokens, mmap_mode="r")[start : start + PIECE]
    yield torch.from_numpy(np.array(part)).to(VARIANTS[variant])


def batches(folder: Path, batch_size: int, length: int) -> Iterator[torch.Tensor]:
    """Shuffled, read in this process."""
    dataset = StreamingDataset(
        str(folder), item_loader=TokensLoader(block_size=length), shuffle=True, seed=17, drop_last=True
    )
    return (batch.long() for batch in StreamingDataLoader(dataset, batch_size=batch_size, num_workers=0))


if __name__ == "__main__":
    main()
