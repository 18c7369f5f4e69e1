"""Checkpoints of many families as other libraries save them: one layer, random weights, made in a moment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from components.deployment.sentence_embedding.modules import POOLING_KEYS
from components.modeling.checkpoints import save_checkpoint
from tests.small_language_models import GROUPED, MODELS, VOCABULARY

PAIR = {
    "encoder_layers": 1,
    "decoder_layers": 1,
    "d_model": 64,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 96,
    "decoder_ffn_dim": 96,
    "max_position_embeddings": 64,
    "decoder_start_token_id": 2,
    **VOCABULARY,
}
ENCODER = {
    "num_hidden_layers": 1,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 66,
    **VOCABULARY,
}
FAMILIES: Mapping[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertModel", ENCODER),
    "roberta": ("RobertaModel", ENCODER | {"pad_token_id": 3}),
    "xlm-roberta": ("XLMRobertaForMaskedLM", ENCODER),
    "camembert": ("CamembertModel", ENCODER),
    "mpnet": ("MPNetForMaskedLM", ENCODER),
    "distilbert": (
        "DistilBertModel",
        {"n_layers": 1, "dim": 64, "n_heads": 4, "hidden_dim": 96, "max_position_embeddings": 64, **VOCABULARY},
    ),
    "electra": ("ElectraModel", ENCODER),
    "albert": ("AlbertModel", ENCODER | {"embedding_size": 32}),
    "deberta-v2": ("DebertaV2Model", ENCODER),
    "t5-encoder": (
        "T5EncoderModel",
        {"num_layers": 1, "d_model": 64, "d_kv": 16, "num_heads": 4, "d_ff": 96, **VOCABULARY},
    ),
    "qwen3-embedding": ("Qwen3Model", GROUPED | {"head_dim": 16}),
    "qwen3": ("Qwen3ForCausalLM", GROUPED | {"head_dim": 16}),
    "gemma": ("GemmaForCausalLM", GROUPED | {"head_dim": 16}),
    "gemma2": ("Gemma2ForCausalLM", GROUPED | {"head_dim": 16, "sliding_window": 48}),
    "gemma3": ("Gemma3ForCausalLM", GROUPED | {"head_dim": 16, "sliding_window": 48}),
    "phi3": ("Phi3ForCausalLM", GROUPED),
    "gpt-neox": (
        "GPTNeoXForCausalLM",
        {key: value for key, value in GROUPED.items() if key not in ("num_key_value_heads", "tie_word_embeddings")},
    ),
    "opt": (
        "OPTForCausalLM",
        {
            "num_hidden_layers": 1,
            "hidden_size": 64,
            "ffn_dim": 96,
            "num_attention_heads": 4,
            "word_embed_proj_dim": 64,
            "max_position_embeddings": 64,
            **VOCABULARY,
        },
    ),
    "bloom": ("BloomForCausalLM", {"n_layer": 1, "hidden_size": 64, "n_head": 4, **VOCABULARY}),
    "falcon": (
        "FalconForCausalLM",
        {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 4, **VOCABULARY},
    ),
    "falcon-alibi": (
        "FalconForCausalLM",
        {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 4, "alibi": True, **VOCABULARY},
    ),
    "mpt": ("MptForCausalLM", {"n_layers": 1, "d_model": 64, "n_heads": 4, "max_seq_len": 64, **VOCABULARY}),
    "mamba": ("MambaForCausalLM", {"num_hidden_layers": 1, "hidden_size": 64, "state_size": 8, **VOCABULARY}),
    "bart": ("BartForConditionalGeneration", PAIR),
    "mbart": ("MBartForConditionalGeneration", PAIR),
    "marian": ("MarianMTModel", PAIR | {"decoder_vocab_size": 330}),
    "pegasus": ("PegasusForConditionalGeneration", PAIR),
    "m2m_100": ("M2M100ForConditionalGeneration", PAIR),
    "blenderbot": ("BlenderbotForConditionalGeneration", PAIR),
}
"""Family -> a class of transformers and its config's fields."""


def family_model(name: str, **changed: Any) -> Any:
    """The same weights every time."""
    import transformers

    torch.manual_seed(3)
    kind = getattr(transformers, FAMILIES[name][0])
    return kind(kind.config_class(**FAMILIES[name][1] | changed)).eval()


def family_folder(folder: Path, name: str, tokenizer: Path, **changed: Any) -> Path:
    """A folder as `save_pretrained` leaves it. `changed`: fields of its config."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    model = family_model(name, **changed) if name in FAMILIES else MODELS[name]()
    save_checkpoint(model, tokenizer, folder)
    return folder


MODULES = "sentence_transformers.models"


def sentence_folder(
    folder: Path,
    tokenizer: Path,
    family: str = "bert",
    pooling: tuple[str, ...] = ("mean",),
    dense: str = "",
    norm: bool = False,
    normalize: bool = True,
    **settings: Any,
) -> Path:
    """A folder as sentence-transformers saves it: Transformer, Pooling, and as asked Dense with that activation of
    torch.nn, LayerNorm, Normalize. `settings`: of sentence_bert_config.json and config_sentence_transformers.json."""
    family_folder(folder, family, tokenizer)
    width = 64 * len(pooling)
    steps: list[tuple[str, dict[str, Any]]] = [
        ("Transformer", {}),
        ("Pooling", {"word_embedding_dimension": 64, **{flag: mode in pooling for flag, mode in POOLING_KEYS.items()}}),
    ]
    generator = torch.Generator().manual_seed(8)
    weights: dict[str, dict[str, torch.Tensor]] = {}
    if dense:
        config = {"in_features": width, "out_features": 48, "bias": True, "activation_function": dense}
        steps.append(("Dense", config))
        weights["Dense"] = {
            "linear.weight": torch.randn(48, width, generator=generator) / 8,
            "linear.bias": torch.randn(48, generator=generator),
        }
        width = 48
    if norm:
        steps.append(("LayerNorm", {"dimension": width}))
        weights["LayerNorm"] = {
            "norm.weight": torch.rand(width, generator=generator) + 0.5,
            "norm.bias": torch.randn(width, generator=generator),
        }
    if normalize:
        steps.append(("Normalize", {}))
    listed = []
    for number, (kind, config) in enumerate(steps):
        path = "" if kind == "Transformer" else f"{number}_{kind}"
        listed.append({"idx": number, "name": str(number), "path": path, "type": f"{MODULES}.{kind}"})
        if path:
            (folder / path).mkdir()
            write(folder / path / "config.json", config)
        if kind in weights:
            save_file(weights[kind], folder / path / "model.safetensors")
    write(folder / "modules.json", listed)
    library = {"prompts", "default_prompt_name"}
    write(folder / "sentence_bert_config.json", {key: settings[key] for key in settings if key not in library})
    write(folder / "config_sentence_transformers.json", {key: settings[key] for key in settings if key in library})
    return folder


def write(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def change(path: Path, **values: Any) -> None:
    """Fields of a JSON file."""
    write(path, json.loads(path.read_text(encoding="utf-8")) | values)


def copied(folder: Path, to: Path) -> Path:
    return Path(shutil.copytree(folder, to))
