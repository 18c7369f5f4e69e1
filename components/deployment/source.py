"""A model to be bundled: a folder of transformers' files with safetensors weights, here or from a hub."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from components.artifacts import own_manifest
from components.deployment.architecture import Architecture, look_at
from components.deployment.own_tokenizer import lowercased
from components.deployment.sentence_embedding.modules import MODULES, SentenceModules, read_modules
from components.errors import ArtifactError, first_line
from components.modeling.loading import load_config, load_model, refuse_code, refuse_pickled
from components.tasks.kinds import task_of

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedConfig, PreTrainedModel

    from components.tasks.task import Task

Form = str
"""decoder, encoder-decoder, encoder or classifier."""

FALLBACK_LENGTH = 512
"""Of a model that could read any length: T5's positions are relative."""

ENCODER_HALVES = {"t5": "T5EncoderModel", "mt5": "MT5EncoderModel"}
"""Encoder-decoders whose encoder makes vectors."""
TAGGER = "ForTokenClassification"
"""The end of the class of models that answer for every word."""


@dataclass(frozen=True)
class Source:
    """What a folder holds. `folder`: of the transformer's files, which sentence-transformers may keep in one below."""

    folder: Path
    config: PreTrainedConfig
    form: Form
    tokenizer_config: dict[str, Any]
    modules: SentenceModules
    architecture: Architecture

    @cached_property
    def length(self) -> int:
        """The most tokens the model can read: its positions, its attention window, its tokenizer's or its sentence
        module's limit, whichever is less."""
        # sentence-transformers puts its own limit in the place of the tokenizer's.
        tokenizer = self.modules.max_length or self.tokenizer_config.get("model_max_length")
        # The platform's own classifiers were trained on texts cut there.
        trained = (own_manifest(self.folder) or {}).get("max_length")
        known = [
            self.architecture.positions or (None if self.modules.max_length else FALLBACK_LENGTH),
            getattr(self.config, "sliding_window", None) if self.form == "decoder" else None,
            tokenizer,
            trained if self.form == "classifier" else None,
        ]
        return min(int(length) for length in known if length)

    @property
    def rows(self) -> int:
        """Of the table of embeddings."""
        return self.architecture.rows

    @property
    def pad_id(self) -> int:
        """What rows are padded with: the model's own padding token, else the first of the table."""
        named = self.config.pad_token_id
        return int((named[0] if isinstance(named, list) else named) or 0)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """tokenizer.json, neither cutting nor padding. Raises ArtifactError."""
        path = self.folder / "tokenizer.json"
        try:
            found = Tokenizer.from_file(str(path))
        except Exception as error:  # the Rust library raises plain Exception for everything
            raise ArtifactError(f"{path}: not a tokenizer: {first_line(error)}", "take the folder again") from None
        found.no_padding()
        found.no_truncation()
        found.encode_special_tokens = bool(self.tokenizer_config.get("split_special_tokens", False))
        if self.modules.lowercase:
            found.normalizer = lowercased(found.normalizer)
        return found

    @cached_property
    def generation_config(self) -> GenerationConfig:
        """What transformers' `generate` would go by: generation_config.json, else what the config says of it."""
        from transformers import GenerationConfig

        own = self.folder / "generation_config.json"
        file = own if own.is_file() else self.folder / "config.json"
        try:
            return GenerationConfig.from_pretrained(
                self.folder,
                file.name,
                local_files_only=True,
                trust_remote_code=False,
                _from_model_config=file.name == "config.json",
            )
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ArtifactError(f"{file}: {first_line(error)}", "transformers cannot read it either") from None


def read_source(folder: Path) -> Source:
    """Look at a folder without loading weights. Raises ArtifactError naming what it lacks."""
    modules = read_modules(folder)
    sentences, folder = (folder / MODULES).is_file(), modules.transformer
    if not (folder / "config.json").is_file():
        raise ArtifactError(f"{folder}: no config.json here", "give the folder of a transformers model")
    refuse_code(folder)
    refuse_pickled(folder)
    if not (folder / "tokenizer.json").is_file():
        raise ArtifactError(f"{folder}: no tokenizer.json here", _without_tokenizer(folder))
    config = load_config(folder)
    form = form_of(folder, config, sentences)
    return Source(folder, config, form, _tokenizer_config(folder), modules, look_at(folder, config, form))


def _without_tokenizer(folder: Path) -> str:
    """What to do about it: a pair of sentencepiece models cannot be written as one tokenizer.json."""
    if (folder / "source.spm").is_file():
        return "Marian's tokenizer is two, source.spm and target.spm: give a folder that has them converted into one"
    return "AutoTokenizer.from_pretrained(folder).save_pretrained(folder) writes one"


def form_of(folder: Path, config: PreTrainedConfig, sentences: bool = False) -> Form:
    """What kind of model the weights are of; `sentences`: modules.json makes vectors of it, whatever its head.

    Raises ArtifactError for one with another head.
    """
    architecture = (config.architectures or [""])[0]
    if sentences:
        return "encoder"
    if architecture.endswith(("ForSequenceClassification", TAGGER)):
        return "classifier"
    if config.is_encoder_decoder and architecture.endswith(("ForConditionalGeneration", "MTModel")):
        return "encoder-decoder"
    if architecture.endswith(("ForCausalLM", "LMHeadModel")) and not config.is_encoder_decoder:
        return "decoder"
    if architecture in ENCODER_HALVES.values():
        return "encoder"
    if architecture.endswith(("ForMaskedLM", "Model")) and not config.is_encoder_decoder and _is_encoder(config):
        return "encoder"
    raise ArtifactError(
        f"{folder}: a {architecture or config.model_type} neither generates, encodes nor classifies text",
        "give a causal language model, an encoder-decoder, an encoder, a classifier, a regressor or a tagger",
    )


def task_of_folder(source: Source) -> Task:
    """What a classifier answers: its manifest's task, else the labels of its config, or a number. Raises ArtifactError
    for a head whose answers are neither."""
    made, config = own_manifest(source.folder), source.config
    if made is not None and made["kind"] == "classifier":
        return task_of(made)
    several = config.problem_type == "multi_label_classification"
    if config.num_labels == 1 and not several and not tags_words(source):
        return task_of({"task_kind": "regression", "labels": ["number"], "mean": 0.0, "deviation": 1.0})
    labels = [label for _, label in sorted((config.id2label or {}).items())]
    if tags_words(source):
        try:
            return task_of({"task_kind": "token_classification", "labels": labels})
        except ValueError as error:
            raise ArtifactError(f"{source.folder}: config.json: {error}", "name its labels in id2label") from None
    if len({*labels}) < len(labels):
        raise ArtifactError(f"{source.folder}: config.json has two labels of one name", "name each in id2label")
    if several:
        return task_of({"task_kind": "multi_label", "labels": labels, "threshold": 0.5})
    return task_of({"labels": labels})


def tags_words(source: Source) -> bool:
    """Whether a classifier answers for every word, and not for the text."""
    return (source.config.architectures or [""])[0].endswith(TAGGER)


def load_weights(source: Source, say: Callable[[str], None]) -> PreTrainedModel:
    """The model in float32, ready to be exported. Raises ArtifactError where weights are missing or do not fit.

    `say` hears of weights that have no place in it.
    """
    import transformers
    from transformers.utils import logging

    logging.set_verbosity_error()
    # Not by HEADS, which would make every architecture's file a dep of the stages that export.
    tags, sequence = transformers.AutoModelForTokenClassification, transformers.AutoModelForSequenceClassification
    classes: dict[str, Any] = {
        "decoder": transformers.AutoModelForCausalLM,
        "encoder-decoder": transformers.AutoModelForSeq2SeqLM,
        "encoder": transformers.AutoModel,
        "classifier": tags if tags_words(source) else sequence,
    }
    if source.form == "encoder" and source.config.model_type in ENCODER_HALVES:
        # Sentence-T5: the encoder alone; AutoModel would take the decoder with it.
        classes["encoder"] = getattr(transformers, ENCODER_HALVES[source.config.model_type])
    # Of an encoder the token states are exported, which its pooler does not touch: that alone may be absent.
    loaded = load_model(classes[source.form], source.folder, new_heads=source.form == "encoder")
    for line in replace(loaded, new=()).remarks(source.folder):
        say(line)
    if source.form == "classifier":
        loaded.model.config.use_cache = False
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
