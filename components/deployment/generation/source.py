"""A model to be bundled: a folder of transformers' files with safetensors weights, here or from a hub."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import ArtifactError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

Form = str
"""decoder, encoder-decoder or encoder."""

PICKLED = ("pytorch_model*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
FALLBACK_LENGTH = 512
"""Of a model that could read any length: T5's positions are relative."""


@dataclass(frozen=True)
class Source:
    """What a folder holds."""

    folder: Path
    config: PreTrainedConfig
    form: Form
    tokenizer_config: dict[str, Any]
    generation_config: dict[str, Any]

    @property
    def length(self) -> int:
        """The most tokens the model can read: its positions, its attention window, whichever is less."""
        known = [
            getattr(self.config, "max_position_embeddings", None) or FALLBACK_LENGTH,
            getattr(self.config, "sliding_window", None) if self.form == "decoder" else None,
            self.tokenizer_config.get("model_max_length"),
        ]
        return min(int(length) for length in known if length)


def read_source(folder: Path) -> Source:
    """Look at a folder without loading weights. Raises ArtifactError naming what it lacks."""
    from transformers import AutoConfig

    if not (folder / "config.json").is_file():
        raise ArtifactError(f"{folder}: no config.json here", "give the folder of a transformers model")
    _check_weights(folder)
    if not (folder / "tokenizer.json").is_file():
        raise ArtifactError(
            f"{folder}: no tokenizer.json here",
            "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes one",
        )
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(f"{folder}: config.json: {_first_line(error)}") from None
    return Source(
        folder, config, form_of(folder, config), _tokenizer_config(folder), _json(folder / "generation_config.json")
    )


def form_of(folder: Path, config: PreTrainedConfig) -> Form:
    """What kind of model the weights are of. Raises ArtifactError for one with another head."""
    architecture = (config.architectures or [""])[0]
    if config.is_encoder_decoder and architecture.endswith("ForConditionalGeneration"):
        return "encoder-decoder"
    if architecture.endswith(("ForCausalLM", "LMHeadModel")) and not config.is_encoder_decoder:
        return "decoder"
    if architecture.endswith(("ForMaskedLM", "Model")) and not config.is_encoder_decoder and _is_encoder(config):
        return "encoder"
    raise ArtifactError(
        f"{folder}: a {architecture or config.model_type} neither generates text nor encodes it",
        "give a causal language model, an encoder-decoder or an encoder; `lianzi run` makes bundles of classifiers",
    )


def load_weights(source: Source) -> PreTrainedModel:
    """The model in float32, ready to be exported. Raises ArtifactError where weights are missing or do not fit."""
    import torch
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    classes = {
        "decoder": transformers.AutoModelForCausalLM,
        "encoder-decoder": transformers.AutoModelForSeq2SeqLM,
        "encoder": transformers.AutoModel,
    }
    try:
        model, report = classes[source.form].from_pretrained(
            source.folder,
            dtype=torch.float32,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
        )
    except Exception as error:  # safetensors, transformers and the Rust library below have no base class in common
        raise ArtifactError(f"{source.folder}: cannot be loaded: {_first_line(error)}") from None
    missing = sorted(name for name in report["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise ArtifactError(f"{source.folder}: {len(missing)} weights are missing, {missing[0]} the first of them")
    return model.eval()


def _check_weights(folder: Path) -> None:
    if (folder / "model.safetensors").is_file() or (folder / "model.safetensors.index.json").is_file():
        return
    pickled = sorted(path.name for pattern in PICKLED for path in folder.glob(pattern))
    if pickled:
        raise ArtifactError(
            f"{folder / pickled[0]}: pickled weights run code when they are loaded, and are not",
            "model.save_pretrained(folder) of transformers 5 writes model.safetensors",
        )
    raise ArtifactError(f"{folder}: no model.safetensors here", "give the folder of a transformers model")


def _is_encoder(config: PreTrainedConfig) -> bool:
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    return config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False)


def _tokenizer_config(folder: Path) -> dict[str, Any]:
    """tokenizer_config.json, with the chat template that newer folders keep in a file of its own."""
    content = _json(folder / "tokenizer_config.json")
    template = folder / "chat_template.jinja"
    if template.is_file():
        content["chat_template"] = template.read_text(encoding="utf-8")
    return content


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ArtifactError(f"{path}: not JSON") from None
    if not isinstance(content, dict):
        raise ArtifactError(f"{path}: not an object")
    return content


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
