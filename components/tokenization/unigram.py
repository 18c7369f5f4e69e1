"""Unigram language model (Kudo 2018) over bytes: no text is unknown to it, and every text comes back whole.

Hugging Face's trainer gives another vocabulary each time it runs, for it goes through a hash table in an order drawn
at random. Here words come sorted and each round counts the best split of every word (hard EM), which Hugging Face's
Unigram model finds: equal documents give equal bytes. That model also encodes, so nothing of ours runs later.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import Unigram
from tokenizers.pre_tokenizers import ByteLevel

from components.tokenization.byte_bpe import Words, byte_letters, count_words, texts

LONGEST = 16
"""Bytes of a token, as in SentencePiece's default."""
SEED_FACTOR = 4
"""The number of initial candidates for each entry of the vocabulary."""
SHRINK = 0.75
"""The share of the candidates that a round keeps."""
BATCH = 1 << 16
Scores = dict[str, float]
"""Logarithm of each token's share of all tokens."""


def train_unigram(size: int, min_frequency: int, special: Sequence[str], shards: Sequence[Path]) -> Tokenizer:
    """A tokenizer of at most `size` entries, the 256 bytes and the special tokens among them."""
    words = count_words(texts(shards), ByteLevel(add_prefix_space=False))
    letters, wanted = set(byte_letters()), size - len(special)
    scores = _scored(_candidates(words, SEED_FACTOR * wanted, min_frequency), letters)
    while True:
        scores = _scored(_uses(words, scores), letters)
        if len(scores) <= wanted:
            break
        scores = _pruned(scores, max(wanted, int(SHRINK * len(scores))), letters)
    pieces = sorted(scores.items(), key=lambda piece: (-piece[1], piece[0]))
    tokenizer = _tokenizer([*((token, 0.0) for token in special), *pieces])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def _candidates(words: Words, most: int, min_frequency: int) -> Counter[str]:
    """The strings of whole characters, and beginnings of characters, that save most: occurrences times length."""
    counts: Counter[str] = Counter()
    letters = byte_letters()
    later = set(letters[0x80:0xC0])  # bytes of a character after its first, in UTF-8
    for word, count in words:
        first = [place for place, letter in enumerate(word) if letter not in later] + [len(word)]
        for number, begin in enumerate(first):
            for end in first[number + 1 : number + 1 + LONGEST]:
                if end - begin <= LONGEST:
                    counts[word[begin:end]] += count
                    counts[word[begin : begin + 2]] += count * (end == first[number + 1] > begin + 2)
    counts.update(letters)
    frequent = (found for found in counts.items() if found[1] >= min_frequency or len(found[0]) == 1)
    best = sorted(frequent, key=lambda found: (-found[1] * len(found[0]), found[0]))[:most]
    return Counter(dict(best))


def _scored(counts: Mapping[str, int], letters: set[str]) -> Scores:
    """The logarithms of the shares of the tokens that occur, and of all bytes, which count as at least half an
    occurrence.
    """
    kept = {token: float(count) for token, count in counts.items() if count} | {
        letter: max(float(counts.get(letter, 0)), 0.5) for letter in letters
    }
    total = math.log(math.fsum(kept.values()))
    return {token: math.log(count) - total for token, count in sorted(kept.items())}


def _uses(words: Words, scores: Scores) -> Counter[str]:
    """The count of each token in the best splits of all words."""
    pieces = sorted(scores.items())
    model = Tokenizer(Unigram(pieces))
    uses: Counter[str] = Counter()
    for start in range(0, len(words), BATCH):
        part = words[start : start + BATCH]
        encoded = model.encode_batch_fast([word for word, _ in part], add_special_tokens=False)
        for encoding, (_, count) in zip(encoded, part, strict=True):
            for index in encoding.ids:
                uses[pieces[index][0]] += count
    return uses


def _pruned(scores: Scores, keep: int, letters: set[str]) -> Scores:
    """The tokens whose removal lowers the likelihood most, and the bytes."""
    losses = {
        token: math.exp(score) * (score - _without(token, scores))
        for token, score in scores.items()
        if token not in letters
    }
    best = sorted(losses, key=lambda token: (-losses[token], token))[: keep - len(letters)]
    return {token: scores[token] for token in sorted([*best, *letters])}


def _without(token: str, scores: Scores) -> float:
    """The score of the best split of a token into others (Viterbi)."""
    best = [0.0] + [-math.inf] * len(token)
    for end in range(1, len(token) + 1):
        for begin in range(end):
            score = scores.get(token[begin:end])
            if score is not None and end - begin < len(token):
                best[end] = max(best[end], best[begin] + score)
    return best[-1]


def _tokenizer(pieces: Sequence[tuple[str, float]]) -> Tokenizer:
    tokenizer = Tokenizer(Unigram(list(pieces)))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    return tokenizer
