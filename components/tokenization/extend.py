"""New tokens for a tokenizer that was trained on other texts: what a checkpoint lacks for a new language.

Its own tokens keep their ids and its pieces their order, so a text in which no new token occurs has the ids it had.
BPE goes on where it stopped, on words as they are cut today; WordPiece gets pieces that it lacks. The new ids follow
all others. Equal documents give equal bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from components.errors import ParameterError
from components.tokenization.byte_bpe import Merge, Words, count_words, texts
from components.tokenization.wordpiece import PREFIX, pieces

FIRST = 0xF0000
"""The letter for the first of a tokenizer's tokens: a plane for private use, as large as two of Unicode's."""
MOST = 0x20000


def extended(tokenizer: Tokenizer, count: int, min_frequency: int, shards: Sequence[Path]) -> Tokenizer:
    """A tokenizer with up to `count` tokens more, that occur `min_frequency` times in the documents.

    Raises ParameterError where its model is neither BPE nor WordPiece.
    """
    content = json.loads(tokenizer.to_str())
    model = content["model"]
    if model["type"] not in ("BPE", "WordPiece") or tokenizer.pre_tokenizer is None:
        raise ParameterError(
            f"train_tokenizer.extend: {count}: tokens can be added to BPE and WordPiece with a pre-tokenizer, not to "
            f"{model['type']}",
            "set it to 0, or train_tokenizer.from to another tokenizer",
        )
    words = count_words(texts(shards), tokenizer.pre_tokenizer, tokenizer.normalizer)
    known = tokenizer.get_vocab(with_added_tokens=True)
    if model["type"] == "BPE":
        merges = continued(tokenizer, words, count, min_frequency)
        model["merges"] += [list(merge) for merge in merges]
        new = [one + other for one, other in merges]
    else:
        new = [piece for piece in pieces(words, count, min_frequency) if _is_piece(model, piece)]
    # The library numbers added tokens anew that its model does not have: here they have their ids already.
    model["vocab"] |= {token: index for token, index in known.items() if token not in model["vocab"]}
    for token in dict.fromkeys(new):
        if token not in known:
            model["vocab"][token] = known[token] = len(known)
    found: Tokenizer = Tokenizer.from_str(json.dumps(content))
    return found


def _is_piece(model: dict[str, Any], piece: str) -> bool:
    """Whether a tokenizer's own mark of what stands inside a word is the one that pieces have."""
    return not piece.startswith(PREFIX) or model["continuing_subword_prefix"] == PREFIX


def continued(tokenizer: Tokenizer, words: Words, count: int, min_frequency: int) -> list[Merge]:
    """The next merges of a BPE, by frequency: each of its tokens is a letter, and the words are spelled anew."""
    spelled: Counter[tuple[str, ...]] = Counter()
    for word, times in words:
        spelled[tuple(token.value for token in tokenizer.model.tokenize(word))] += times
    alphabet = sorted({token for word in spelled for token in word})[:MOST]
    letter = {token: chr(FIRST + place) for place, token in enumerate(alphabet)}
    learner = Tokenizer(BPE())
    trainer = BpeTrainer(
        vocab_size=len(alphabet) + count,
        min_frequency=min_frequency,
        initial_alphabet=[letter[token] for token in alphabet],
        show_progress=False,
    )
    in_order = sorted(spelled.items(), key=lambda found: (-found[1], found[0]))
    learner.train_from_iterator(
        ("".join(letter.get(token, "") for token in word) for word, times in in_order for _ in range(times)), trainer
    )
    found = json.loads(learner.to_str())["model"]["merges"]
    return [(_spelling(one, alphabet), _spelling(other, alphabet)) for one, other in found]


def _spelling(token: str, alphabet: Sequence[str]) -> str:
    return "".join(alphabet[ord(letter) - FIRST] for letter in token)
