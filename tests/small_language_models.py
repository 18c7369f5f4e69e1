"""Small language models as transformers saves them, and bundles of them: random weights, one or two layers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)

from components.modeling.checkpoints import load_tokenizer, save_checkpoint
from tests.small_artifacts import sentences

VOCABULARY = {"vocab_size": 330, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
GROUPED = {
    "num_hidden_layers": 1,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
    **VOCABULARY,
}


def small_gpt2() -> PreTrainedModel:
    return GPT2LMHeadModel(GPT2Config(n_layer=1, n_embd=64, n_head=2, n_positions=64, **VOCABULARY))


def small_t5() -> PreTrainedModel:
    config = T5Config(num_layers=1, d_model=64, d_kv=16, num_heads=4, d_ff=96, decoder_start_token_id=0, **VOCABULARY)
    return T5ForConditionalGeneration(config)


def small_bart() -> PreTrainedModel:
    config = BartConfig(
        encoder_layers=1,
        decoder_layers=1,
        d_model=64,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=96,
        decoder_ffn_dim=96,
        max_position_embeddings=64,
        decoder_start_token_id=2,
        **VOCABULARY,
    )
    return BartForConditionalGeneration(config)


def small_modernbert() -> PreTrainedModel:
    config = ModernBertConfig(
        num_hidden_layers=1,
        hidden_size=64,
        num_attention_heads=2,
        intermediate_size=96,
        max_position_embeddings=64,
        layer_types=["full_attention"],
        cls_token_id=1,
        sep_token_id=2,
        **VOCABULARY,
    )
    return ModernBertForMaskedLM(config)


MODELS: dict[str, Callable[[], PreTrainedModel]] = {
    "gpt2": small_gpt2,
    "llama": lambda: LlamaForCausalLM(LlamaConfig(**GROUPED)),
    "qwen2": lambda: Qwen2ForCausalLM(Qwen2Config(**GROUPED)),
    "mistral": lambda: MistralForCausalLM(MistralConfig(**GROUPED)),
    "t5": small_t5,
    "bart": small_bart,
    "modernbert": small_modernbert,
}


def small_model(name: str, seed: int = 0) -> PreTrainedModel:
    """Random weights."""
    torch.set_num_threads(1)  # two threads wait for each other on a busy machine
    torch.manual_seed(seed)
    return MODELS[name]().eval()


def trained(model: PreTrainedModel, tokenizer: Path, steps: int = 60) -> PreTrainedModel:
    """A decoder that has read sentences, each with the end token behind it, so that its answers are words."""
    encode = load_tokenizer(tokenizer)
    optimizer = torch.optim.AdamW(model.train().parameters(), 3e-3)
    for step in range(steps):
        rows = [encode(text, add_special_tokens=False)["input_ids"][:30] for text, _ in sentences(24, seed=step)]
        ids = torch.zeros(len(rows), 31, dtype=torch.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row) + 1] = torch.tensor([*row, 2])
        labels = ids.masked_fill(ids == 0, -100)
        model(input_ids=ids, attention_mask=(ids > 0).long(), labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def small_model_folder(folder: Path, name: str, tokenizer: Path) -> Path:
    """The folder of a model, as `lianzi bundle` takes it."""
    assert len(load_tokenizer(tokenizer)) == VOCABULARY["vocab_size"]
    folder.parent.mkdir(parents=True, exist_ok=True)
    model = small_model(name)
    save_checkpoint(trained(model, tokenizer) if name == "gpt2" else model, tokenizer, folder)
    return folder
