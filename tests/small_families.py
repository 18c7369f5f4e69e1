"""A tiny checkpoint of each family with random weights, and a tokenizer as that family's own is made."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    BertConfig,
    DistilBertConfig,
    ElectraConfig,
    GlmConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    MPNetConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
    RobertaConfig,
    XLMRobertaConfig,
    XLNetConfig,
)
from transformers.utils import logging

from tests.small_artifacts import sentences

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 40,
}
BERTS = {"unk_token": "[UNK]", "sep_token": "[SEP]", "pad_token": "[PAD]", "cls_token": "[CLS]", "mask_token": "[MASK]"}
ROBERTAS = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"} | {
    "cls_token": "<s>",
    "sep_token": "</s>",
    "mask_token": "<mask>",
}
TEXTS = [text for text, _ in sentences(200)]


@dataclass(frozen=True)
class Family:
    """How a family's tokenizer and config are made. `spare`: rows of the embedding that no token has."""

    tokenizer: Callable[[], PreTrainedTokenizerFast]
    tokenizer_class: str
    config: type[PreTrainedConfig]
    settings: dict[str, Any] = field(default_factory=dict)
    spare: int = 0
    shards: bool = False

    @property
    def causal(self) -> bool:
        """Whether transformers has it among the causal language models: XLNet too, which reads in both directions."""
        return self.config in (GPT2Config, LlamaConfig, Qwen2Config, Qwen3Config, GlmConfig, XLNetConfig)


def word_pieces(special: dict[str, str], size: int = 200) -> PreTrainedTokenizerFast:
    """As BERT's: lower case, words, pieces that begin with ##."""
    made = Tokenizer(models.WordPiece(unk_token=special["unk_token"]))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece()
    first = list(dict.fromkeys(special.values()))
    made.train_from_iterator(
        TEXTS, trainers.WordPieceTrainer(vocab_size=size, special_tokens=first, show_progress=False)
    )
    begin, end = special["cls_token"], special["sep_token"]
    made.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} $B:1 {end}:1",
        special_tokens=[(begin, made.token_to_id(begin)), (end, made.token_to_id(end))],
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


def byte_pieces(
    special: dict[str, str], at_the_end: tuple[str, ...] = (), frame: str | None = None, size: int = 330
) -> PreTrainedTokenizerFast:
    """As GPT-2's; `at_the_end`: tokens added behind the vocabulary; `frame`: what is put around a text."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    first = [token for token in dict.fromkeys(special.values()) if token not in at_the_end]
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=first,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(TEXTS, trainer)
    made.add_special_tokens(list(at_the_end))
    if frame is not None:
        used = {token for token in frame.split() if not token.startswith("$")}
        made.post_processor = processors.TemplateProcessing(
            single=frame, special_tokens=[(token, made.token_to_id(token)) for token in sorted(used)]
        )
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


def sentence_pieces() -> PreTrainedTokenizerFast:
    """As Llama 2's: spaces are letters, what is unknown falls to bytes; no padding token."""
    special = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
    made = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made.pre_tokenizer = pre_tokenizers.Split(Regex("▁"), "merged_with_next")
    first = [*special.values(), *(f"<0x{number:02X}>" for number in range(256))]
    made.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=400, special_tokens=first, show_progress=False))
    content = json.loads(made.to_str())
    content["pre_tokenizer"] = None
    content["added_tokens"] = content["added_tokens"][:3]
    made = Tokenizer.from_str(json.dumps(content))
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=made, **special)


def likely_pieces() -> PreTrainedTokenizerFast:
    """As XLM-RoBERTa's: the likeliest split (Unigram), spaces are letters."""
    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    first = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=150, special_tokens=first, unk_token="<unk>", show_progress=False)
    made.train_from_iterator(TEXTS, trainer)
    made.add_special_tokens(["<mask>"])
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=made, **ROBERTAS)


QWENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
FAMILIES: dict[str, Family] = {
    "bert": Family(lambda: word_pieces(BERTS), "BertTokenizer", BertConfig, SHAPE),
    "electra": Family(lambda: word_pieces(BERTS), "ElectraTokenizer", ElectraConfig, SHAPE | {"embedding_size": 24}),
    "xlnet": Family(
        lambda: word_pieces(BERTS),
        "PreTrainedTokenizerFast",
        XLNetConfig,
        {"d_model": 32, "n_layer": 2, "n_head": 2, "d_inner": 64},
    ),
    "roberta": Family(
        lambda: byte_pieces(ROBERTAS, ("<mask>",), "<s> $A </s>"),
        "RobertaTokenizer",
        RobertaConfig,
        SHAPE | {"max_position_embeddings": 42},
    ),
    "xlm-roberta": Family(
        likely_pieces, "XLMRobertaTokenizer", XLMRobertaConfig, SHAPE | {"max_position_embeddings": 42}
    ),
    "distilbert": Family(
        lambda: word_pieces(BERTS),
        "DistilBertTokenizer",
        DistilBertConfig,
        {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "max_position_embeddings": 40},
    ),
    "mpnet": Family(
        lambda: word_pieces(ROBERTAS | {"unk_token": "[UNK]"}),
        "MPNetTokenizer",
        MPNetConfig,
        SHAPE | {"max_position_embeddings": 42},
    ),
    "modernbert": Family(
        lambda: byte_pieces(BERTS, tuple(BERTS.values()), "[CLS] $A [SEP]"),
        "PreTrainedTokenizerFast",
        ModernBertConfig,
        SHAPE | {"local_attention": 8, "global_attn_every_n_layers": 2},
        spare=13,
    ),
    "gpt2": Family(
        lambda: byte_pieces(dict.fromkeys(("bos_token", "eos_token", "unk_token"), QWENS[0]), QWENS[:1]),
        "GPT2Tokenizer",
        GPT2Config,
        {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 40},
    ),
    "llama": Family(
        sentence_pieces,
        "LlamaTokenizer",
        LlamaConfig,
        SHAPE | {"num_key_value_heads": 1, "tie_word_embeddings": False},
        shards=True,
    ),
    "qwen2": Family(
        lambda: byte_pieces({"eos_token": QWENS[0], "pad_token": QWENS[0]}, QWENS),
        "Qwen2Tokenizer",
        Qwen2Config,
        SHAPE | {"num_key_value_heads": 1, "tie_word_embeddings": True},
        spare=21,
    ),
    "qwen3": Family(
        lambda: byte_pieces({"eos_token": QWENS[2], "pad_token": QWENS[0]}, QWENS),
        "Qwen2Tokenizer",
        Qwen3Config,
        SHAPE | {"num_key_value_heads": 1, "head_dim": 16, "tie_word_embeddings": False},
        spare=1,
    ),
    "glm": Family(
        lambda: byte_pieces({"eos_token": QWENS[0], "pad_token": QWENS[0]}, QWENS),
        "PreTrainedTokenizerFast",
        GlmConfig,
        SHAPE | {"num_key_value_heads": 1, "head_dim": 16},
        spare=3,
    ),
}
"""Model type -> how a checkpoint of it is made: with and without padding tokens, rows to spare, tied heads, shards."""


def family_checkpoint(name: str, folder: Path) -> Path:
    """Write a family's checkpoint; the same weights every time."""
    family = FAMILIES[name]
    tokenizer = family.tokenizer()
    tokenizer.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    content = json.loads(path.read_text(encoding="utf-8")) | {"tokenizer_class": family.tokenizer_class}
    path.write_text(json.dumps(content), encoding="utf-8")
    ids = {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id", None) for role in ("bos", "eos", "pad")}
    if name == "modernbert":
        ids |= {f"{role}_token_id": getattr(tokenizer, f"{role}_token_id") for role in ("cls", "sep")}
    config = family.config(vocab_size=len(tokenizer) + family.spare, **family.settings, **ids)
    torch.manual_seed(5)
    loader: Any = AutoModelForCausalLM if family.causal else AutoModelForMaskedLM
    logging.disable_progress_bar()
    loader.from_config(config).save_pretrained(folder, max_shard_size="20KB" if family.shards else "5GB")
    return folder
