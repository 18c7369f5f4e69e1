"""How fast windows of packed tokens become batches: ours beside litdata and Hugging Face datasets, in turn.

python -m benchmarks.reader            sets up the peers' environment the first time
python -m benchmarks.reader --rounds 9

The same tokens, shuffled windows, torch int64 out; every measurement in a fresh process, all on one core, files in the
page cache. A peer stands with the fastest of its usual ways; reading Arrow's buffers by hand is a figure of its own.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.random import default_rng

from benchmarks.peers.environment import PEERS, call_script, peer_python
from benchmarks.peers.reader_pace import pace
from benchmarks.report import Figure, median_round, report
from components.artifacts import write_manifest
from components.params import load_params
from components.tokenization.reader import PackedTokens
from components.tokenization.shards import Shards
from components.training.order import WindowOrder

ROOT = Path(__file__).parent.parent
TOKENS = 2**25
VOCABULARY = 8192
SEED = 17
MEASURED = {(128, 256): 2**24, (16, 64): 2**22}
"""Batch size, length of a window -> tokens read while the clock runs."""
READERS = {
    "ours": ("as it is",),
    "litdata": ("uint16", "int64"),
    "datasets": ("loader", "iter_torch", "iter_numpy"),
    "datasets by hand": ("iter_arrow",),
}
SCRIPTS = {
    "litdata": "reader_litdata.py",
    "datasets": "reader_datasets.py",
    "datasets by hand": "reader_datasets.py",
}
GOALS = {"litdata": 8.0, "datasets": 15.0}
FIRST_BATCH_GOAL = 10.0
"""Milliseconds from opening the reader to the first batch."""
Paces = dict[str, list[dict[str, float]]]


def main() -> int:
    """Measure and write benchmarks/results/reader.json."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rounds", type=int, default=5, help="an odd number")
    options.add_argument("--ours", nargs=4, metavar=("FOLDER", "LENGTH", "BATCH", "TOKENS"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.ours:
        length, batch_size, tokens = map(int, chosen.ours[1:])
        print(pace(lambda: batches(Path(chosen.ours[0]), batch_size, length), (batch_size, length), tokens))
        return 0
    python = peer_python("reader")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), python)
        for batch_size, length in MEASURED:
            found = in_turn(Path(folder), python, batch_size, length, chosen.rounds)
            figures |= compared(found, f"{batch_size} x {length}")
    pins = dict(line.split("==") for line in (PEERS / "reader.txt").read_text().splitlines())
    note = (
        "Microseconds per 1,000 tokens, milliseconds to the first batch; of the round with the median ratio. "
        f"{TOKENS:,} tokens, windows shuffled, one core; litdata {pins['litdata']}, datasets {pins['datasets']}"
    )
    report("reader", figures, ("torch", "numpy"), note)
    return 0


def batches(folder: Path, batch_size: int, length: int) -> Iterator[torch.Tensor]:
    """Ours, as pretraining reads them."""
    tokens = PackedTokens(folder, "train")
    order = WindowOrder(len(tokens), length, batch_size, SEED)
    step = 0
    while True:
        yield torch.from_numpy(tokens.gather(order.samples(step), length))
        step += 1


def prepare(folder: Path, python: Path) -> None:
    """The same tokens in each reader's own form; a peer's form depends on the length of a window."""
    ids = default_rng(SEED).integers(0, VOCABULARY, TOKENS, dtype=np.uint16)
    np.save(folder / "tokens.npy", ids)
    ours = folder / "ours"
    ours.mkdir()
    shards = Shards(ours, "train-", np.dtype("<u2"), load_params(ROOT / "params.yaml").tokenize.shard_tokens)
    shards.add(ids)
    splits = {"train": {"documents": 1, "tokens": shards.tokens, "shards": shards.files}}
    write_manifest(ours, "tokens", {}, dtype="uint16", vocab_size=VOCABULARY, splits=splits)
    for script in sorted(set(SCRIPTS.values())):
        for _, length in MEASURED:
            target = folder / f"{script}-{length}"
            call_script(python, PEERS / script, "prepare", folder / "tokens.npy", target, length, **_settings(folder))


def in_turn(folder: Path, python: Path, batch_size: int, length: int, rounds: int) -> dict[str, Paces]:
    """Reader -> its way -> what was measured in each round."""
    found: dict[str, Paces] = {name: {way: [] for way in ways} for name, ways in READERS.items()}
    tokens = MEASURED[batch_size, length]
    for number in range(rounds):
        for name, ways in READERS.items():
            for way in ways:
                if name == "ours":
                    used, words = Path(sys.executable), ["-m", "benchmarks.reader", "--ours", str(folder / "ours")]
                else:
                    script = SCRIPTS[name]
                    words = [str(PEERS / script), "measure", str(folder / f"{script}-{length}"), way]
                    used = python
                measured = call_script(used, *words, length, batch_size, tokens, **_settings(folder))
                found[name][way].append(measured)
                speed, first = 1e3 / measured["thousand"], measured["first"]
                shown = f"{batch_size} x {length}, round {number + 1}: {name} ({way})"
                print(f"{shown}: {speed:.1f} M tokens/s, first batch {first:.1f} ms", flush=True)
    return found


def compared(found: dict[str, Paces], shape: str) -> dict[str, Figure]:
    """Ours beside the fastest way of each peer: tokens, then the first batch."""
    ours = found["ours"]["as it is"]
    figures: dict[str, Figure] = {}
    for name in SCRIPTS:
        peer = _best(found[name], "thousand")
        figures[f"{shape}: ours, {name}"] = median_round(
            _each(ours, "thousand"), _each(peer, "thousand"), "µs", GOALS.get(name)
        )
    for name in SCRIPTS:
        peer = _best(found[name], "first")
        figures[f"{shape}, first batch: ours, {name}"] = median_round(_each(ours, "first"), _each(peer, "first"), "ms")
    allowed = [FIRST_BATCH_GOAL] * len(ours)
    figures[f"{shape}, first batch: ours, the 10 ms allowed"] = median_round(_each(ours, "first"), allowed, "ms", 1.0)
    return figures


def _best(ways: Paces, what: str) -> list[dict[str, float]]:
    return min(ways.values(), key=lambda rounds: statistics.median(measured[what] for measured in rounds))


def _each(rounds: list[dict[str, float]], what: str) -> list[float]:
    return [measured[what] for measured in rounds]


def _settings(folder: Path) -> dict[str, str]:
    """Nothing of the peers is left outside the benchmark's folder, nothing is fetched, compiled modules are kept."""
    return {
        "PYTHONDONTWRITEBYTECODE": "",
        "TMPDIR": str(folder),
        "HF_HOME": str(folder / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "DATA_OPTIMIZER_CACHE_FOLDER": str(folder / "litdata"),
        "LITDATA_DISABLE_VERSION_CHECK": "1",
    }


if __name__ == "__main__":
    sys.exit(main())
