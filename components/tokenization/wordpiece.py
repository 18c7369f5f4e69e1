"""WordPiece (Schuster & Nakajima 2012; Devlin et al. 2019), cased, a word a Han character.

Learnt as BPE over words whose letters after the first are other letters, as Hugging Face's trainer does. That one
numbers them in the order of a hash table, another in every process, and so breaks ties by chance; here the letters
come sorted, and equal documents give equal bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import BPE, WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import BpeTrainer

from components.tokenization.byte_bpe import Words, count_words, texts
from components.tokenization.special_tokens import UNKNOWN

PREFIX = "##"
INSIDE = 0xF0000
"""Added to the number of a letter that is not the first of its word: a plane for private use, larger than Unicode's
first two, where all letters that pass the alphabet stand."""
ALPHABET_SHARE = 0.5
"""The share of the vocabulary for letters: rarer letters are unknown."""


def train_wordpiece(size: int, min_frequency: int, special: Sequence[str], shards: Sequence[Path]) -> Tokenizer:
    """A tokenizer of at most `size` entries. Whitespace and control characters do not come back from its tokens."""
    normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False)
    words = count_words(texts(shards), BertPreTokenizer(), normalizer)
    reserved = list(dict.fromkeys([*special, UNKNOWN]))
    learnt = pieces(words, size - len(reserved), min_frequency)
    vocabulary = {token: index for index, token in enumerate([*reserved, *learnt])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=UNKNOWN, continuing_subword_prefix=PREFIX))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.decoder = WordPieceDecoder(prefix=PREFIX, cleanup=False)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in reserved])
    return tokenizer


def pieces(words: Words, size: int, min_frequency: int) -> list[str]:
    """Letters, then the merged tokens, with the prefix for those inside a word."""
    letters: Counter[str] = Counter()
    for word, count in words:
        for letter in _marked(word):
            letters[letter] += count
    most = sorted(letters, key=lambda letter: (-letters[letter], letter))[: int(size * ALPHABET_SHARE)]
    known = set(most)
    learner = Tokenizer(BPE())
    trainer = BpeTrainer(
        vocab_size=size, min_frequency=min_frequency, initial_alphabet=sorted(known), show_progress=False
    )
    repeated = (_marked(word) for word, count in words if known.issuperset(_marked(word)) for _ in range(count))
    learner.train_from_iterator(repeated, trainer)
    found = learner.get_vocab()
    return [_unmarked(token) for token in sorted(found, key=lambda token: found[token])]


def _marked(word: str) -> str:
    """The word with its inner letters replaced by others. A letter beyond the first two planes stays."""
    return word[:1] + "".join(chr(ord(letter) + INSIDE) if ord(letter) < 0x20000 else letter for letter in word[1:])


def _unmarked(token: str) -> str:
    plain = "".join(chr(ord(letter) - INSIDE) if ord(letter) >= INSIDE else letter for letter in token)
    return PREFIX + plain if ord(token[0]) >= INSIDE else plain
