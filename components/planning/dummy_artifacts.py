"""Dummies for missing inputs of a training, in the configured shapes: valid artifacts with random content."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from components.artifacts import write_manifest
from components.modeling.architectures import build_language_model
from components.modeling.checkpoints import load_classifier, load_language_model, load_tokenizer, save_checkpoint
from components.params import Params
from components.starts import local_folder
from components.tasks.rows import read_task
from components.tasks.task import Task
from components.tokenization.config import TrainTokenizerConfig
from components.tokenization.train import SPECIAL_TOKENS, write_imported

TOKENS = 1 << 20
"""Tokens of a dummy split: enough for different windows."""


def tokenizer(folder: Path, size: int, texts: Iterable[str]) -> None:
    """A byte-level BPE tokenizer of exactly `size` entries, trained on `texts` and padded with unused entries."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    content = json.loads(bpe.to_str())
    vocabulary = content["model"]["vocab"]
    vocabulary |= {f"[unused {index}]": index for index in range(len(vocabulary), size)}
    filled = Tokenizer.from_str(json.dumps(content))
    begin, end = SPECIAL_TOKENS["cls_token"], SPECIAL_TOKENS["sep_token"]
    places = [(token, filled.token_to_id(token)) for token in (begin, end)]
    filled.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}", pair=f"{begin} $A {end} $B:1 {end}:1", special_tokens=places
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=filled, **SPECIAL_TOKENS, bos_token=begin, eos_token=end)
    fast.save_pretrained(folder)
    write_manifest(folder, "tokenizer", {}, vocab_size=size)


def imported_tokenizer(folder: Path, config: TrainTokenizerConfig, name: str) -> None:
    """The tokenizer to import, as params.yaml names it: it exists already and needs no dummy."""
    folder.mkdir(parents=True)
    write_imported(config, name, folder)
    size = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    write_manifest(folder, "tokenizer", {}, vocab_size=size)


def tokens(folder: Path, vocabulary: int, length: int) -> None:
    """Packed tokens drawn at random, at least some windows of `length` in each split."""
    folder.mkdir(parents=True)
    dtype = np.dtype("<u2" if vocabulary <= 2**16 else "<u4")
    splits = {}
    for split, seed in (("train", 0), ("validation", 1)):
        count = max(TOKENS, 4 * length)
        ids = np.random.default_rng(seed).integers(len(SPECIAL_TOKENS), vocabulary, count)
        ids.astype(dtype).tofile(folder / f"{split}-00000.bin")
        shard = {"file": f"{split}-00000.bin", "tokens": count}
        splits[split] = {"tokens": count, "documents": 1, "shards": [shard]}
    write_manifest(folder, "tokens", {}, dtype=dtype.name, vocab_size=vocabulary, splits=splits)


def pretrained(folder: Path, params: Params, tokenizer_folder: Path) -> None:
    """The output of pretrain with random weights: the shape of the `model` section, or of `init_from`."""
    vocabulary = load_tokenizer(tokenizer_folder)
    config = params.pretrain
    torch.manual_seed(params.seed)
    if config.init_from is None:
        model = build_language_model(params.model, vocabulary, config.sequence_length)
    else:
        start = local_folder("pretrain.init_from", config.init_from)
        model = load_language_model(str(start), vocabulary).model
    folder.mkdir(parents=True)
    save_checkpoint(model, tokenizer_folder, folder)
    write_manifest(folder, "pretrained", {})


def teacher(folder: Path, task: Task, pretrained_folder: Path) -> None:
    """The output of finetune with random weights."""
    model = load_classifier(pretrained_folder, task.labels, 0.0, task.head).model
    folder.mkdir(parents=True)
    save_checkpoint(model, pretrained_folder, folder)
    write_manifest(folder, "classifier", {}, **task.manifest())


def rows(folder: Path, source: Path, chosen: dict[str, Sequence[int]]) -> None:
    """Some rows of each split of a task's artifact, as an artifact of their own."""
    folder.mkdir(parents=True)
    for split, places in chosen.items():
        lines = (source / f"{split}.jsonl").read_text(encoding="utf-8").split("\n")
        text = "".join(f"{lines[place]}\n" for place in places)
        (folder / f"{split}.jsonl").write_text(text, encoding="utf-8")
    write_manifest(folder, "task", {}, **read_task(source).manifest())
