"""The different words of a corpus and how often each occurs: what WordPiece and Unigram are learnt from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers.normalizers import Normalizer
from tokenizers.pre_tokenizers import PreTokenizer

Words = Sequence[tuple[str, int]]
"""By frequency, then spelling: the order is the corpus's own, not that of a hash table."""


def count_words(texts: Iterable[str], split: PreTokenizer, normalizer: Normalizer | None = None) -> Words:
    """The words that a pre-tokenizer finds."""
    counts: Counter[str] = Counter()
    for text in texts:
        written = normalizer.normalize_str(text) if normalizer else text
        counts.update(word for word, _ in split.pre_tokenize_str(written))
    return sorted(counts.items(), key=lambda found: (-found[1], found[0]))
