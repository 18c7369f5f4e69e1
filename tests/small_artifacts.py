"""Small real artifacts, made in a second: a tokenizer, packed tokens, the rows of a task anyone can learn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from components.artifacts import write_manifest

WORDS = {
    "sea": ["ship", "wave", "harbour", "sail", "whale", "tide", "anchor", "海", "船", "浪"],
    "field": ["wheat", "plough", "barn", "horse", "harvest", "soil", "meadow", "田", "牛", "禾"],
    "city": ["street", "tower", "market", "crowd", "lamp", "bridge", "square", "城", "門", "市"],
}
SPECIAL = ["[PAD]", "[CLS]", "[SEP]", "[MASK]"]


def sentences(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """(text, label) pairs: the label is what most of a text's words belong to."""
    generator = np.random.default_rng(seed)
    everything = [word for words in WORDS.values() for word in words]
    rows = []
    for _ in range(count):
        label = str(generator.choice(sorted(WORDS)))
        words = [*generator.choice(WORDS[label], size=generator.integers(3, 9)), *generator.choice(everything, size=2)]
        rows.append((" ".join(generator.permutation(words)), label))
    return rows


def small_tokenizer(folder: Path) -> Path:
    """A byte-level BPE tokenizer of some 330 tokens."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator([text for text, _ in sentences(200)], trainer)
    bpe.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        bos_token="[CLS]",
        eos_token="[SEP]",
    )
    fast.save_pretrained(folder)
    write_manifest(folder, "tokenizer", {}, vocab_size=len(fast))
    return folder


def with_tokens(tokenizer: Path, folder: Path, tokens: Sequence[str]) -> Path:
    """A tokenizer with these special tokens besides, as `train_tokenizer.special_tokens` gives them; none: itself."""
    if not tokens:
        return tokenizer
    fast = PreTrainedTokenizerFast.from_pretrained(tokenizer)
    fast.add_special_tokens({"extra_special_tokens": list(tokens)})
    fast.save_pretrained(folder)
    write_manifest(folder, "tokenizer", {}, vocab_size=len(fast))
    return folder


def small_tokens(folder: Path, tokenizer: Path) -> Path:
    """Some thousand packed tokens in two splits."""
    encode = PreTrainedTokenizerFast.from_pretrained(tokenizer)
    folder.mkdir()
    splits = {}
    for split, count in (("train", 400), ("validation", 60)):
        rows = [encode(text, add_special_tokens=False)["input_ids"] + [2] for text, _ in sentences(count, seed=count)]
        ids = np.concatenate(rows).astype("<u2")
        ids.tofile(folder / f"{split}-00000.bin")
        shard = {"file": f"{split}-00000.bin", "tokens": len(ids)}
        splits[split] = {"tokens": len(ids), "documents": count, "shards": [shard]}
    write_manifest(folder, "tokens", {}, dtype="uint16", vocab_size=len(encode), splits=splits)
    return folder


def small_task(folder: Path) -> Path:
    """Rows of three classes."""
    folder.mkdir()
    for split, count in (("train", 160), ("validation", 60), ("test", 60)):
        lines = [
            json.dumps({"id": f"{split}{index}", "text": text, "label": label}, ensure_ascii=False)
            for index, (text, label) in enumerate(sentences(count, seed=count + 7))
        ]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_manifest(folder, "task", {}, labels=sorted(WORDS))
    return folder
