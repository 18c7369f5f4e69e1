"""The stage `train_tokenizer`: byte-level BPE (Sennrich et al. 2016; Radford et al. 2019) over the train documents.

Saved as a Hugging Face fast tokenizer: [PAD]=0 [CLS]=1 [SEP]=2 [MASK]=3, "[CLS] text [SEP]".
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer

from components.artifacts import read_manifest, staged, write_json, write_manifest
from components.params import TrainTokenizerConfig
from components.run import Metrics, Run

SPECIAL_TOKENS = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}


def train_tokenizer(config: TrainTokenizerConfig, corpus: Path, verdict: Path, tokenizer: Path, run: Run) -> Metrics:
    """Equal documents give equal bytes, whatever the number of threads.

    The vocabulary is smaller than asked for when the documents have too few pairs of `min_frequency`.
    """
    read_manifest(corpus, "corpus")
    read_manifest(verdict, "verdict")
    trained = _train(config, corpus / "train.jsonl")
    with staged(tokenizer) as target:
        trained.save(str(target / "tokenizer.json"))
        write_json(target / "tokenizer_config.json", _transformers_config())
        size = trained.get_vocab_size()
        write_manifest(target, "tokenizer", {"corpus": corpus, "verdict": verdict}, vocab_size=size)
    metrics = _compression(trained, corpus / "validation.jsonl")
    run.say(f"{size:,} entries; characters a token: {metrics}")
    return {"vocab_size": size, "characters_per_token": metrics}


def _train(config: TrainTokenizerConfig, documents: Path) -> Tokenizer:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=config.vocab_size,
        min_frequency=config.min_frequency,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=sorted(ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for _, text in _documents(documents)), trainer)
    begin, end = SPECIAL_TOKENS["cls_token"], SPECIAL_TOKENS["sep_token"]
    tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (begin, end)],
    )
    return tokenizer


def _documents(path: Path) -> Iterator[tuple[str, str]]:
    """(language, text) of each document of a corpus split."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["language"], row["text"]


def _transformers_config() -> dict[str, object]:
    """What transformers needs to load the tokenizer; nothing of its version or of where it stands."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **SPECIAL_TOKENS,
        "bos_token": SPECIAL_TOKENS["cls_token"],
        "eos_token": SPECIAL_TOKENS["sep_token"],
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,
        "model_input_names": ["input_ids", "attention_mask"],
    }


def _compression(tokenizer: Tokenizer, documents: Path) -> dict[str, float]:
    """Characters a token, by language, over documents the tokenizer was not trained on."""
    characters: Counter[str] = Counter()
    tokens: Counter[str] = Counter()
    for language, text in _documents(documents):
        characters[language] += len(text)
        tokens[language] += len(tokenizer.encode(text, add_special_tokens=False).ids)
    return {language: round(characters[language] / tokens[language], 4) for language in sorted(tokens)}
