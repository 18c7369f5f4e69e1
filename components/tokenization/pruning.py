"""Prune a tokenizer to the tokens of a task: its texts are tokenized as before, others into smaller tokens.

Every letter stays, so nothing that could be read becomes unknown. Of BPE all merges stay that lead to a kept token,
in their order: a text made of kept tokens goes through the same merges. WordPiece takes the longest token that fits
and Unigram the likeliest split, and of fewer tokens both choose the same as long as it is there.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from components.errors import ArtifactError, ParameterError

Content = dict[str, Any]
"""tokenizer.json, or a part of it."""

BATCH = 4096
BYTE = re.compile(r"<0x[0-9A-F]{2}>")
"""The token of a byte where a vocabulary of whole characters lacks the character (SentencePiece's byte fallback)."""
OFF = "set distill.min_token_count to 0 to keep the whole vocabulary"


def prune_tokenizer(source: Path, target: Path, texts: Sequence[str], max_length: int, least: int) -> list[int]:
    """Write the tokenizer of `source` to `target` without the tokens that occur fewer than `least` times in the texts.

    Returns the old id of every new one. Texts are read as far as `max_length` tokens and to the end of that word.
    Raises ParameterError for a kind that cannot be pruned, ArtifactError where a text would be tokenized differently.
    """
    whole = PreTrainedTokenizerFast.from_pretrained(source, trust_remote_code=False)
    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    content: Content = json.loads(tokenizer.to_str())
    counts: Counter[int] = Counter()
    for ids in _beginnings(whole, texts, max_length):
        counts.update(ids)
    used = {index for index, count in counts.items() if count >= least}
    kept = sorted(_kept(content, used | _framing(tokenizer, content)))
    places = {old: new for new, old in enumerate(kept)}
    _write(content, places, source, target)
    trimmed = PreTrainedTokenizerFast.from_pretrained(target, trust_remote_code=False)
    _check(whole, trimmed, places, texts, max_length)
    return kept


def _beginnings(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], max_length: int) -> Iterator[list[int]]:
    """The ids of each text up to the end of the word at which it is cut: half a word may have other tokens."""
    room = max_length - tokenizer.num_special_tokens_to_add()
    for start in range(0, len(texts), BATCH):
        encoded = tokenizer(list(texts[start : start + BATCH]), add_special_tokens=False)
        for number, ids in enumerate(encoded["input_ids"]):
            words, end = encoded.word_ids(number), min(room, len(ids))
            while 0 < end < len(ids) and words[end] == words[end - 1]:
                end += 1
            yield ids[:end]


def _framing(tokenizer: Tokenizer, content: Content) -> set[int]:
    """The ids of added tokens, and of the tokens around a text."""
    return {token["id"] for token in content["added_tokens"]} | set(tokenizer.encode("", "").ids)


def _kept(content: Content, needed: set[int]) -> set[int]:
    """The ids that stay: the given ones, and those that the tokenizer's kind requires."""
    model = content["model"]
    if model["type"] not in KINDS:
        raise ParameterError(f"distill.min_token_count: a {model['type']} tokenizer cannot be pruned", OFF)
    places = _vocabulary(model)
    tokens = {token for token, index in places.items() if index in needed}
    return needed | {places[token] for token in KINDS[model["type"]](model, tokens, places)}


def _vocabulary(model: Content) -> dict[str, int]:
    if model["type"] == "Unigram":
        return {piece: index for index, (piece, _) in enumerate(model["vocab"])}
    vocabulary: dict[str, int] = model["vocab"]
    return vocabulary


def _bpe(model: Content, tokens: set[str], vocabulary: Collection[str]) -> set[str]:
    """The tokens, all tokens on their merge paths, and all that are no result of a merge: letters, bytes, the unknown
    token.
    """
    parts: dict[str, set[str]] = {}
    for left, right in model["merges"]:
        parts.setdefault(_merged(model, left, right), set()).update((left, right))
    waiting = [*tokens, *(token for token in vocabulary if token not in parts)]
    kept: set[str] = set()
    while waiting:
        token = waiting.pop()
        if token not in kept:
            kept.add(token)
            waiting.extend(parts.get(token, ()))
    return kept


def _merged(model: Content, left: str, right: str) -> str:
    return left + right.removeprefix(model["continuing_subword_prefix"] or "")


def _wordpiece(model: Content, tokens: set[str], vocabulary: Collection[str]) -> set[str]:
    prefix = model["continuing_subword_prefix"]

    def letters(token: str) -> list[str]:
        inside = token.startswith(prefix)
        plain = token.removeprefix(prefix)
        return [letter if number == 0 and not inside else prefix + letter for number, letter in enumerate(plain)]

    return tokens | {model["unk_token"]} & set(vocabulary) | _unspelt(vocabulary, letters)


def _unigram(model: Content, tokens: set[str], vocabulary: Collection[str]) -> set[str]:
    unknown = set() if model["unk_id"] is None else {model["vocab"][model["unk_id"]][0]}
    bytes_ = {token for token in vocabulary if BYTE.fullmatch(token)} if model.get("byte_fallback") else set()
    return tokens | unknown | bytes_ | _unspelt(vocabulary, list)


def _unspelt(vocabulary: Collection[str], letters: Callable[[str], list[str]]) -> set[str]:
    """Single letters, and tokens with a letter that has no entry of its own."""
    known = set(vocabulary)
    return {token for token in vocabulary if letters(token) == [token] or not known.issuperset(letters(token))}


KINDS: dict[str, Callable[[Content, set[str], Collection[str]], set[str]]] = {
    "BPE": _bpe,
    "WordPiece": _wordpiece,
    "Unigram": _unigram,
}
"""Kind of model in tokenizer.json -> the function from the given tokens and the whole vocabulary to the tokens that
stay.
"""


def _write(content: Content, places: Mapping[int, int], source: Path, target: Path) -> None:
    """Both files of the tokenizer, ids renumbered."""
    content["model"] |= _trimmed_model(content["model"], places)
    content["added_tokens"] = [{**token, "id": places[token["id"]]} for token in content["added_tokens"]]
    if content["post_processor"] is not None:
        _renumber(content["post_processor"], places)
    if content["padding"] is not None:
        content["padding"]["pad_id"] = places[content["padding"]["pad_id"]]
    Tokenizer.from_str(json.dumps(content)).save(str(target / "tokenizer.json"))
    settings = json.loads((source / "tokenizer_config.json").read_text(encoding="utf-8"))
    if "added_tokens_decoder" in settings:
        decoder = settings["added_tokens_decoder"]
        settings["added_tokens_decoder"] = {str(places[int(index)]): token for index, token in decoder.items()}
    text = json.dumps(settings, indent=2, ensure_ascii=False, sort_keys=True)
    (target / "tokenizer_config.json").write_text(text + "\n", encoding="utf-8")


def _trimmed_model(model: Content, places: Mapping[int, int]) -> Content:
    if model["type"] == "Unigram":
        vocabulary = [entry for index, entry in enumerate(model["vocab"]) if index in places]
        return {"vocab": vocabulary, "unk_id": None if model["unk_id"] is None else places[model["unk_id"]]}
    kept = {token: places[index] for token, index in model["vocab"].items() if index in places}
    if model["type"] == "WordPiece":
        return {"vocab": kept}
    # A merge whose result stays has parts that stay.
    return {"vocab": kept, "merges": [pair for pair in model["merges"] if _merged(model, *pair) in kept]}


def _renumber(processor: Content, places: Mapping[int, int]) -> None:
    """The ids in a post-processor: a template, BERT's or RoBERTa's pair of tokens, or a sequence of these."""
    for inner in processor.get("processors", ()):
        _renumber(inner, places)
    if processor["type"] == "TemplateProcessing":
        for token in processor["special_tokens"].values():
            token["ids"] = [places[index] for index in token["ids"]]
    for role in {"sep", "cls"} & processor.keys():
        processor[role][1] = places[processor[role][1]]


def _check(
    whole: PreTrainedTokenizerFast,
    trimmed: PreTrainedTokenizerFast,
    places: Mapping[int, int],
    texts: Sequence[str],
    max_length: int,
) -> None:
    """Raises ArtifactError where a text of kept tokens alone is tokenized differently."""
    pairs = zip(_beginnings(whole, texts, max_length), _beginnings(trimmed, texts, max_length), strict=True)
    for number, (before, after) in enumerate(pairs):
        if places.keys() >= set(before) and [places[index] for index in before] != after:
            raise ArtifactError(
                f"the pruned tokenizer splits training row {number + 1} differently: "
                f"{len(after)} tokens instead of {len(before)}",
                OFF,
            )
