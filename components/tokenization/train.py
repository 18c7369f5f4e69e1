"""The stage `train_tokenizer`: a Hugging Face fast tokenizer, trained on the train documents or imported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tokenizers import Tokenizer

from components.artifacts import of_kind, read_manifest, write_json, write_manifest
from components.corpus.documents import shard_paths
from components.run import Metrics, Run
from components.staging import staged
from components.tokenization.byte_bpe import train_byte_bpe
from components.tokenization.config import TrainTokenizerConfig
from components.tokenization.extend import extended
from components.tokenization.imported import import_tokenizer
from components.tokenization.page import write_page
from components.tokenization.report import examine
from components.tokenization.special_tokens import (
    CHAT_TEMPLATES,
    SPECIAL_TOKENS,
    UNKNOWN,
    add_template,
    extra_tokens,
    transformers_config,
)
from components.tokenization.unigram import train_unigram
from components.tokenization.wordpiece import train_wordpiece

TRAINERS: dict[str, Callable[[int, int, Sequence[str], Sequence[Path]], Tokenizer]] = {
    "byte_bpe": train_byte_bpe,
    "unigram": train_unigram,
    "wordpiece": train_wordpiece,
}


def train_tokenizer(
    config: TrainTokenizerConfig, corpus: Path, verdict: Path, tokenizer: Path, report: Path, run: Run
) -> Metrics:
    """Equal documents give equal bytes, whatever the number of threads.

    The vocabulary is smaller than configured where the documents have too few pairs of `min_frequency`.
    """
    read_manifest(corpus, "corpus")
    read_manifest(verdict, "verdict")
    made_from = {"corpus": corpus, "verdict": verdict}
    with staged(tokenizer, of_kind("tokenizer")) as target:
        if config.imported is None:
            _train(config, corpus, target)
        else:
            write_imported(config, config.imported, target, shard_paths(corpus, "train") if config.extend else ())
            made_from |= {"from": Path(config.imported)} if Path(config.imported).is_dir() else {}
        found = examine(target, corpus)
        write_manifest(target, "tokenizer", made_from, vocab_size=found.size)
    write_page(report / "index.html", found)
    run.log_files(report, "tokenizer")
    metrics = found.metrics()
    run.say(f"{found.size:,} entries; characters a token: {metrics['characters_per_token']}")
    return metrics


def _train(config: TrainTokenizerConfig, corpus: Path, target: Path) -> None:
    extra = extra_tokens(config.special_tokens, config.chat_template)
    special = [*SPECIAL_TOKENS.values(), *extra]
    trained = TRAINERS[config.kind](config.vocab_size, config.min_frequency, special, shard_paths(corpus, "train"))
    add_template(trained)
    roles = SPECIAL_TOKENS | ({"unk_token": UNKNOWN} if config.kind == "wordpiece" else {})
    template = CHAT_TEMPLATES[config.chat_template][1] if config.chat_template else None
    trained.save(str(target / "tokenizer.json"))
    write_json(target / "tokenizer_config.json", transformers_config(roles, extra, template))


def write_imported(config: TrainTokenizerConfig, name: str, target: Path, shards: Sequence[Path] = ()) -> None:
    """Write a tokenizer trained elsewhere into a folder, extended by tokens of these shards' documents.

    Its own chat template stays unless params.yaml names another.
    """
    extra = extra_tokens(config.special_tokens, config.chat_template)
    imported, roles, template = import_tokenizer(name, extra)
    if shards:
        imported = extended(imported, config.extend, config.min_frequency, shards)
    if config.chat_template:
        template = CHAT_TEMPLATES[config.chat_template][1]
    imported.save(str(target / "tokenizer.json"))
    write_json(target / "tokenizer_config.json", transformers_config(roles, extra, template))
