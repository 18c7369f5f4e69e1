"""Packed tokens with Hugging Face datasets: an Arrow table whose rows are blocks of input_ids, shuffled.

reader_datasets.py prepare TOKENS.npy FOLDER LENGTH
reader_datasets.py measure FOLDER VARIANT LENGTH BATCH_SIZE TOKENS
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset, disable_progress_bars, load_from_disk
from reader_pace import pace
from torch.utils.data import DataLoader

WRITTEN_TOGETHER = 1000
"""Rows a record batch, as Dataset.map writes them."""


def main() -> None:
    disable_progress_bars()
    match sys.argv[1:]:
        case ["prepare", tokens, folder, length]:
            prepare(Path(tokens), Path(folder), int(length))
            print("{}")
        case ["measure", folder, variant, length, batch_size, tokens]:
            shape = (int(batch_size), int(length))
            print(pace(lambda: VARIANTS[variant](load_from_disk(folder), *shape), shape, int(tokens)))
        case _:
            sys.exit(__doc__)


def prepare(tokens: Path, folder: Path, length: int) -> None:
    """Two bytes a token, as ours."""
    ids = np.load(tokens)
    ends = np.arange(0, len(ids) + 1, length, dtype=np.int32)
    table = pa.table({"input_ids": pa.ListArray.from_arrays(pa.array(ends), pa.array(ids))})
    Dataset(pa.Table.from_batches(table.to_batches(max_chunksize=WRITTEN_TOGETHER))).save_to_disk(folder)


def loader(dataset: Dataset, batch_size: int, length: int) -> Iterator[torch.Tensor]:
    """The documented way: torch format, a DataLoader that shuffles."""
    dataset.set_format("torch")
    found = DataLoader(dataset, batch_size=batch_size, shuffle=True, drop_last=True)
    return (batch["input_ids"] for batch in found)


def iter_torch(dataset: Dataset, batch_size: int, length: int) -> Iterator[torch.Tensor]:
    shuffled = dataset.shuffle(seed=17).with_format("torch")
    return (batch["input_ids"] for batch in shuffled.iter(batch_size, drop_last_batch=True))


def iter_numpy(dataset: Dataset, batch_size: int, length: int) -> Iterator[torch.Tensor]:
    shuffled = dataset.shuffle(seed=17).with_format("numpy")
    for batch in shuffled.iter(batch_size, drop_last_batch=True):
        yield torch.from_numpy(batch["input_ids"].astype(np.int64))


def iter_arrow(dataset: Dataset, batch_size: int, length: int) -> Iterator[torch.Tensor]:
    """The library finds the rows, the user turns Arrow's buffers into tensors."""
    shuffled = dataset.shuffle(seed=17).with_format("arrow")
    for batch in shuffled.iter(batch_size, drop_last_batch=True):
        ids = batch.column("input_ids").combine_chunks().flatten().to_numpy()
        yield torch.from_numpy(ids.astype(np.int64).reshape(-1, length))


VARIANTS: dict[str, Callable[[Dataset, int, int], Iterator[torch.Tensor]]] = {
    "loader": loader,
    "iter_torch": iter_torch,
    "iter_numpy": iter_numpy,
    "iter_arrow": iter_arrow,
}

if __name__ == "__main__":
    main()
