"""Byte-level BPE (Sennrich et al. 2016; Radford et al. 2019): special tokens, the 256 bytes, then merges by rank.

gigatoken counts and merges where it is installed, Hugging Face tokenizers elsewhere; both find the same merges, and
the tokenizer is put together from them in one way.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.normalizers import Normalizer
from tokenizers.pre_tokenizers import ByteLevel, PreTokenizer
from tokenizers.trainers import BpeTrainer

from components.corpus.documents import read_shard
from components.tokenization.encoders import GigatokenEncoder, HuggingFaceEncoder

Merge = tuple[str, str]
Words = Sequence[tuple[str, int]]
"""By frequency, then spelling: an order that depends on the corpus alone, not on a hash table."""


def train_byte_bpe(size: int, min_frequency: int, special: Sequence[str], shards: Sequence[Path]) -> Tokenizer:
    """A tokenizer of at most `size` entries; fewer where too few pairs occur `min_frequency` times."""
    if find_spec("gigatoken"):
        found = by_gigatoken(size, min_frequency, special, shards)
        if found is not None:
            return found
    return by_hugging_face(size, min_frequency, special, shards)


def by_gigatoken(size: int, min_frequency: int, special: Sequence[str], shards: Sequence[Path]) -> Tokenizer | None:
    """None where gigatoken, which has no `min_frequency`, may have merged rarer pairs, or has found too few."""
    import gigatoken

    letters = byte_letters()
    with _quiet():
        source = gigatoken.ParquetFileSource([str(path) for path in shards])
        _, found = gigatoken.train_bpe(source, size - len(special), [])
    merges = [
        ("".join(letters[byte] for byte in left), "".join(letters[byte] for byte in right)) for left, right in found
    ]
    entries = {*special, *letters, *(left + right for left, right in merges)}
    if len(entries) < size or len(entries) != len(special) + len(letters) + len(merges):
        return None
    tokenizer = assembled(merges, special)
    # Pairs become rarer with their rank: the last one is frequent enough, or the other trainer must say where to stop.
    return tokenizer if _occurs(size - 1, min_frequency, tokenizer, special[0], shards) else None


def by_hugging_face(size: int, min_frequency: int, special: Sequence[str], shards: Sequence[Path]) -> Tokenizer:
    """The reference."""
    tokenizer = _empty(BPE())
    trainer = BpeTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=list(special),
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(shards), trainer)
    return tokenizer


def assembled(merges: Sequence[Merge], special: Sequence[str]) -> Tokenizer:
    """The tokenizer of these merges, ids in the order that Hugging Face's trainer gives them."""
    entries = [*special, *sorted(byte_letters()), *(left + right for left, right in merges)]
    tokenizer = _empty(BPE({token: index for index, token in enumerate(entries)}, list(merges)))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


@cache
def byte_letters() -> list[str]:
    """The letter for each byte in a byte-level vocabulary (GPT-2): the byte's own where it is printable."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def texts(shards: Sequence[Path]) -> Iterator[str]:
    """Yield the documents' texts; one batch is in memory at a time."""
    for path in shards:
        for batch in read_shard(path, ["text"]):
            yield from (text or "" for text in batch.column("text").to_pylist())


def count_words(texts: Iterable[str], split: PreTokenizer, normalizer: Normalizer | None = None) -> Words:
    """The distinct words of a pre-tokenizer and their counts: the training data of WordPiece and Unigram."""
    counts: Counter[str] = Counter()
    for text in texts:
        written = normalizer.normalize_str(text) if normalizer else text
        counts.update(word for word, _ in split.pre_tokenize_str(written))
    return sorted(counts.items(), key=lambda found: (-found[1], found[0]))


def _empty(model: BPE) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    return tokenizer


def _occurs(token: int, times: int, tokenizer: Tokenizer, end: str, shards: Sequence[Path]) -> bool:
    """Whether a token occurs at least so often in the encoded documents; stops as soon as it does."""
    import json

    encoder = GigatokenEncoder(json.loads(tokenizer.to_str()), HuggingFaceEncoder(tokenizer, end))
    for batches in (1, None):  # a token of the last merges is mostly met in the first batches, of one shard or another
        left = times
        for path in shards:
            for batch in islice(read_shard(path, ["text"]), batches):
                left -= int((encoder.encode(batch.column("text"))[0] == token).sum())
                if left <= 0:
                    return True
    return False


@contextmanager
def _quiet() -> Iterator[None]:
    """gigatoken prints its progress on both streams and has no option against it."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    try:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        for number, stream in enumerate(kept, start=1):
            os.dup2(stream, number)
            os.close(stream)
