"""A model to be bundled: a folder of transformers' files with safetensors weights, here or from a hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import ArtifactError
from components.modeling.loading import load_config, load_model, refuse_code, refuse_pickled

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

Form = str
"""decoder, encoder-decoder or encoder."""

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
    if not (folder / "config.json").is_file():
        raise ArtifactError(f"{folder}: no config.json here", "give the folder of a transformers model")
    refuse_code(folder)
    refuse_pickled(folder)
    if not (folder / "tokenizer.json").is_file():
        raise ArtifactError(
            f"{folder}: no tokenizer.json here",
            "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes one",
        )
    config = load_config(folder)
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


def load_weights(source: Source, say: Callable[[str], None]) -> PreTrainedModel:
    """The model in float32, ready to be exported. Raises ArtifactError where weights are missing or do not fit.

    `say` hears of weights that have no place in it.
    """
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    classes = {
        "decoder": transformers.AutoModelForCausalLM,
        "encoder-decoder": transformers.AutoModelForSeq2SeqLM,
        "encoder": transformers.AutoModel,
    }
    # Of an encoder the token states are exported, which its pooler does not touch: that alone may be absent.
    loaded = load_model(classes[source.form], source.folder, new_heads=source.form == "encoder")
    for line in replace(loaded, new=()).remarks(source.folder):
        say(line)
    return loaded.model.eval()


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
