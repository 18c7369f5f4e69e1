"""params.yaml as frozen, strict models: one section a stage, every field with its bounds.

A default stands in params.yaml and nowhere else, so no field here has one.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from components.artifacts import is_plain_name, is_plain_path
from components.corpus.language_codes import MIXED, language_codes
from components.errors import ParameterError
from components.modeling.kinds import FROM_SCRATCH, ArchitectureName, ObjectiveName
from components.tasks.kinds import KINDS, nearest

Fraction = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0)]
Length = Annotated[int, Field(ge=2, strict=False)]  # as a key: JSON turns its numbers to text
Precision = Literal["auto", "bf16", "fp32"]


HEAD_WIDTH = 64
"""Numbers of a token that one attention head reads."""
TAKEN = ("corpus", "pretrained", "tasks", "tokenizer", "tokens", "validation")
"""What artifacts/ holds beside a folder for each task."""


class Section(BaseModel):
    """A section of params.yaml: frozen, strict, no unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


Scrubbed = Literal[
    "email", "phone", "ip_address", "credit_card", "social_security_number", "iban", "resident_identity_number"
]


class LanguageConfig(Section):
    """The quality rules of one language; their units are words, or characters where it is written without spaces.

    Gopher (Rae et al. 2021, appendix A), C4 (Raffel et al. 2020), FineWeb (Penedo et al. 2024). The rules on n-grams
    hold for texts of min_repetition_units and more; *_n_grams: n -> largest share of the characters.
    """

    unit: Literal["word", "character"]
    min_units: Count
    max_run: Count
    mean_unit_length: Annotated[list[float], Field(min_length=2, max_length=2)]
    min_alphabetic_share: Share
    max_symbol_share: Annotated[float, Field(ge=0)]
    max_bullet_line_share: Share
    max_ellipsis_line_share: Share
    stop_words: list[str]
    min_stop_words: Annotated[int, Field(ge=0)]
    min_repetition_units: Count
    top_n_grams: dict[Length, Share]
    duplicate_n_grams: dict[Length, Share]
    min_punctuated_line_share: Share
    max_short_line_share: Share
    short_line: Count
    max_line_breaks: Annotated[float, Field(ge=0)]
    boilerplate: list[str]
    held_out_n_gram: Count


class CurateConfig(Section):
    """Which documents are kept, and what is changed in them; lengths in characters."""

    min_characters: Count
    max_characters: Count
    min_letter_share: Share
    max_repeated_line_share: Share
    max_boilerplate_line_share: Share
    max_replacement_share: Share
    min_language_score: Share
    word_lists: list[str]
    max_listed_words: Annotated[int, Field(ge=0)]
    max_listed_share: Share
    scrub: list[Scrubbed]
    scrub_labelled: bool
    near_duplicate_similarity: Annotated[float, Field(ge=0.3, le=1)]
    min_held_out_overlap: Annotated[float, Field(gt=0, le=1)]
    max_held_out_documents: Annotated[int, Field(ge=0)]
    validation_fraction: Fraction
    languages: Annotated[dict[str, LanguageConfig], Field(min_length=1)]

    @model_validator(mode="after")
    def _ordered(self) -> CurateConfig:
        if self.min_characters > self.max_characters:
            raise ValueError("min_characters is larger than max_characters")
        outside = [path for path in self.word_lists if not path.startswith("data/") or ".." in path.split("/")]
        if outside:
            raise ValueError(f"word_lists: {outside[0]} is not a file under data/")
        return self


class ValidateConfig(Section):
    """The thresholds of the Great Expectations suites.

    length_quantiles: [quantile, least, most] of the documents' characters; max_drift: population stability index.
    """

    min_documents: Count
    length_quantiles: list[Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=3, max_length=3)]]
    min_language_share: Share
    min_class_share: Share
    max_null_share: Share
    max_duplicate_share: Share
    max_personal_data_share: Share
    max_label_conflict_share: Share
    accepted: str | None
    max_drift: Annotated[float, Field(gt=0)]

    @model_validator(mode="after")
    def _quantiles(self) -> ValidateConfig:
        for quantile, least, most in self.length_quantiles:
            if quantile > 1 or least > most:
                raise ValueError(f"length_quantiles: [{quantile:g}, {least:g}, {most:g}]: not [0 to 1, least, most]")
        return self


class TrainTokenizerConfig(Section):
    """kind: how it is learnt; vocab_size counts the special tokens too.

    from: an existing tokenizer to take instead, a local folder or a hub name; kind, vocab_size and min_frequency say
    nothing then. special_tokens: beside [PAD], [CLS], [SEP] and [MASK].
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    kind: Literal["byte_bpe", "unigram", "wordpiece"]
    vocab_size: Annotated[int, Field(ge=300, le=1_000_000)]
    min_frequency: Count
    imported: str | None = Field(alias="from")  # `from` is a word of Python's own
    special_tokens: list[str]
    chat_template: Literal["chatml"] | None

    @field_validator("special_tokens")
    @classmethod
    def _marked(cls, tokens: list[str]) -> list[str]:
        """Bracketed words: no split of a text gives one whole, so that plain text never becomes one."""
        for token in tokens:
            if not re.fullmatch(r"<\|?\w+\|?>|\[\w+\]", token):
                raise ValueError(f"'{token}' has not the form <name>, <|name|> or [NAME]")
        if len({*tokens}) < len(tokens):
            raise ValueError("a token is named twice")
        return tokens


class TokenizeConfig(Section):
    """shard_tokens: the most tokens that one file holds."""

    shard_tokens: Annotated[int, Field(ge=1024)]


class ModelConfig(Section):
    """One dial: `depth` layers, 64 x depth wide unless `width` says otherwise, one attention head per 64.

    Of a checkpoint the architecture alone counts, which is its own.
    """

    architecture: ArchitectureName
    depth: Annotated[int, Field(ge=1, le=96)]
    width: Annotated[int, Field(ge=HEAD_WIDTH, le=8192, multiple_of=HEAD_WIDTH)] | None
    max_length: Annotated[int, Field(ge=8)]


class TrainerConfig(Section):
    """How every training is computed: by how many devices, how divided among them.

    accumulate: micro-batches a step; checkpoint_activations: recompute instead of keeping them; compile: torch.compile.
    """

    devices: Count
    strategy: Literal["ddp", "fsdp"]
    accumulate: Count
    checkpoint_activations: bool
    compile: bool


class OptimizerConfig(Section):
    """Optimizer and schedule by name; average_decay: of the moving average of the weights, 0 for none."""

    optimizer: Literal["adamw", "muon"]
    schedule: Literal["constant", "linear", "cosine", "warmup_stable_decay", "inverse_square_root"]
    average_decay: Annotated[float, Field(ge=0, lt=1)]
    learning_rate: Rate
    warmup_fraction: Share
    weight_decay: Annotated[float, Field(ge=0)]
    gradient_clip: Rate


class TrainingConfig(OptimizerConfig):
    """Of every training: rows a step, `threads` of a CPU, and the precision of its products."""

    batch_size: Count
    precision: Precision
    threads: Count


class TaskTrainingConfig(TrainingConfig):
    """Of the trainings over a task's rows: early stopping after `patience` epochs without a better validation metric.

    min_steps: with few rows an epoch is so many passes over them that all epochs together have this many steps;
    token_masking: share of the tokens that are hidden.
    """

    epochs: Count
    patience: Count
    dropout: Share
    token_masking: Share
    min_steps: Count


class BootstrapConfig(Section):
    """Intervals by resampling the rows (Efron 1979), at `confidence`."""

    bootstrap_samples: Annotated[int, Field(ge=100)]
    confidence: Fraction


class MaxLossConfig(Section):
    """max_loss: the most that a model may lose of its task's first metric to the one it was made from."""

    max_loss: Share


class PretrainConfig(TrainingConfig):
    """steps x batch_size sequences x sequence_length tokens are seen; with 0 steps the checkpoint goes on as it is.

    document_attention: the documents in a window do not see each other.
    """

    objective: ObjectiveName
    init_from: str | None
    steps: Annotated[int, Field(ge=0)]
    sequence_length: Annotated[int, Field(ge=8)]
    document_attention: bool
    mask_probability: Fraction
    temperature: Rate
    contrast_weight: Annotated[float, Field(ge=0)]
    validate_every: Count
    validation_sequences: Count

    @model_validator(mode="after")
    def _something_to_go_on_with(self) -> PretrainConfig:
        if self.steps == 0 and self.init_from is None:
            raise ValueError("steps: 0 takes the checkpoint of init_from as it is, but init_from is null")
        return self


class FinetuneConfig(TaskTrainingConfig):
    """seeds: of several fine-tunings, the best of which goes on, none for the project's seed alone; label_fraction: of
    the training rows of every label that the task is learned from;
    without_pretraining: whether the same model is trained from random weights too, as a control.
    """

    label_smoothing: Share
    seeds: list[Annotated[int, Field(ge=0)]]
    label_fraction: Annotated[float, Field(gt=0, le=1)]
    without_pretraining: bool

    @field_validator("seeds")
    @classmethod
    def _different(cls, seeds: list[int]) -> list[int]:
        """The same seed twice is the same training twice, and a spread of nothing."""
        if len({*seeds}) < len(seeds):
            raise ValueError("a seed is named twice")
        return seeds


class DistillConfig(TaskTrainingConfig, MaxLossConfig):
    """Soft labels at `temperature` (Hinton 2015) and hidden states (Jiao 2020, TinyBERT).

    width_fraction, ffn_fraction, head_fraction: of the teacher's channels (Muralidharan 2024), feed-forward neurons and
    attention heads (Michel 2019);
    quantization_aware: share of the steps, the last ones, in which int8 rounds the forward pass (Jacob 2018);
    count_words: learn from TF-IDF with logistic regression too, in the share that is best on the validation rows;
    min_token_count: how often a token must stand in the training rows to stay in the student's vocabulary, 0 keeps all;
    max_loss: on validation rows, to its teacher, before a larger student is tried.
    """

    depth_fraction: Annotated[float, Field(gt=0, le=1)]
    width_fraction: Annotated[float, Field(gt=0, le=1)]
    ffn_fraction: Annotated[float, Field(gt=0, le=1)]
    head_fraction: Annotated[float, Field(gt=0, le=1)]
    min_token_count: Annotated[int, Field(ge=0)]
    temperature: Rate
    soft_weight: Share
    count_words: bool
    hidden_weight: Annotated[float, Field(ge=0)]
    quantization_aware: Share


class ExportConfig(Section):
    """opset: of the ONNX graph; max_difference: of logits against PyTorch."""

    opset: Annotated[int, Field(ge=18, le=26)]
    max_difference: Rate


class QuantizeConfig(BootstrapConfig):
    """The rungs below fp32, from the top of the ladder down, and what each may lose in macro-F1.

    calibration_rows: training rows that set the ranges of static int8; max_float_layers: the most that may stay in
    float where it loses too much; embedding_block: weights of an embedding row that share a scale, in int4.
    """

    rungs: list[Literal["int8", "int8_static", "int4_embeddings"]]
    per_channel: bool
    calibration_rows: Count
    max_float_layers: Annotated[int, Field(ge=0)]
    embedding_block: Literal[16, 32, 64, 128, 256]
    max_accuracy_loss: Share


class BuildConfig(Section):
    """engines, in order of preference; batch sizes and lengths of the optimization profile."""

    engines: Annotated[
        list[
            Literal["onnxruntime", "openvino", "tensorrt-rtx", "tensorrt", "onnxruntime-cuda", "onnxruntime-tensorrt"]
        ],
        Field(min_length=1),
    ]
    max_batch: Count


class GateConfig(BootstrapConfig, MaxLossConfig):
    """What a bundle may differ by from its checkpoint on `rows` validation rows: a logit of the float graph by
    max_difference, a layer of another graph by max_noise of its size. A graph may lose max_loss of macro-F1
    (it is refused when the whole bootstrap interval lies beyond), and must give min_agreement of the answers."""

    rows: Count
    max_difference: Rate
    max_noise: Rate
    min_agreement: Share


class EvaluateConfig(BootstrapConfig):
    """Of every metric on the test rows."""


class ReleaseConfig(MaxLossConfig):
    """max_loss: macro-F1 the shipped model may lose to its teacher; min_gain: over the champion;
    min_gain_over_baseline: in macro-F1 and accuracy over TF-IDF + logistic regression, where a paired interval lies
    wholly below.

    min_speedup: of a rung over the one above it, at batches of target_batch rows, with its whole interval at
    `confidence`; speed_rounds: times each is timed; batches: rows a call, beside target_batch; system_rounds: times the
    PyTorch models are timed beside the rungs.
    """

    min_gain: Annotated[float, Field(ge=-1, le=1)]
    min_gain_over_baseline: Annotated[float, Field(ge=-1, le=1)]
    min_speedup: Rate
    target_batch: Count
    speed_rounds: Annotated[int, Field(ge=10)]
    confidence: Fraction
    batches: Annotated[list[Count], Field(min_length=1)]
    system_rounds: Annotated[int, Field(ge=10)]


class TaskConfig(Section):
    """A labelled task under data/tasks/NAME; max_length in tokens."""

    kind: str
    language: Literal["en", "zh"]
    max_length: Annotated[int, Field(ge=8)]

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"no task kind {kind!r:.100}; {nearest(kind)}")
        return kind

    @field_validator("language", mode="before")
    @classmethod
    def _one_code(cls, given: object) -> object:
        """`eng_Latn`, `zho` and `Chinese` are known as well."""
        codes = language_codes(given)
        return codes[0] if len(codes) == 1 else given


class SourceConfig(Section):
    """A source of the corpus, data/corpus/NAME.*; weight: how often the model meets each of its documents.

    language: its one language (`code` for source code), a list of several, or `mixed`: each document by its own.
    """

    weight: Annotated[float, Field(ge=0, le=100)]
    language: str | list[str]
    licence: str

    @field_validator("language", mode="before")
    @classmethod
    def _codes(cls, given: object) -> object:
        """In the codes that curation knows, however they are named."""
        if not isinstance(given, str) and not (isinstance(given, list) and all(isinstance(one, str) for one in given)):
            raise ValueError(
                f"{given!r:.80} is no language: expected one such as en, a list such as [en, zh], or mixed"
            )
        codes = list(language_codes(given))
        return codes[0] if len(codes) == 1 else codes or MIXED


class Params(Section):
    """The whole of params.yaml. A source that `corpus` does not name has weight 1 and tells its language itself."""

    seed: Annotated[int, Field(ge=0)]
    tasks: Annotated[dict[str, TaskConfig], Field(min_length=1)]
    corpus: dict[str, SourceConfig]
    curate: CurateConfig
    validation: ValidateConfig = Field(alias="validate")  # pydantic keeps the name `validate` for itself
    train_tokenizer: TrainTokenizerConfig
    tokenize: TokenizeConfig
    model: ModelConfig
    trainer: TrainerConfig
    pretrain: PretrainConfig
    finetune: FinetuneConfig
    distill: DistillConfig
    export: ExportConfig
    quantize: QuantizeConfig
    build: BuildConfig
    gate: GateConfig
    evaluate: EvaluateConfig
    release: ReleaseConfig

    @model_validator(mode="after")
    def _weights_come_from_somewhere(self) -> Params:
        if self.pretrain.init_from is None and self.model.architecture not in FROM_SCRATCH:
            raise ValueError(
                f"model.architecture: {self.model.architecture} comes as a checkpoint alone: set pretrain.init_from, "
                f"or it to {', '.join(FROM_SCRATCH)}"
            )
        return self

    @model_validator(mode="after")
    def _heads_can_go(self) -> Params:
        """Of a checkpoint this is looked at where its family is known."""
        fewer, kind = self.distill.head_fraction < 1, self.model.architecture
        if fewer and self.pretrain.init_from is None and kind != "llama":
            raise ValueError(
                f"distill.head_fraction: a {kind} has as many heads as fill its width: set it to 1.0 and lower "
                "distill.width_fraction, which takes heads along"
            )
        return self

    @field_validator("tasks")
    @classmethod
    def _named(cls, tasks: dict[str, TaskConfig]) -> dict[str, TaskConfig]:
        """A task's name is a folder, a model, a part of an address, and between the dots of a parameter."""
        for name in tasks:
            if not is_plain_name(name) or "." in name:
                raise ValueError(f"{name!r:.200} is no name for a task: letters, digits, `_` and `-`")
            if name in TAKEN:
                raise ValueError(f"'{name}' is no name for a task: artifacts/{name} is something else")
        return tasks

    @field_validator("corpus")
    @classmethod
    def _sources(cls, sources: dict[str, SourceConfig]) -> dict[str, SourceConfig]:
        """A source is called as its file or folder in data/corpus is."""
        strange = next((name for name in sources if not is_plain_path(name) or "/" in name), None)
        if strange is not None:
            raise ValueError(f"{strange!r:.200} is the name of no file in data/corpus")
        return sources

    def lengths(self) -> dict[str, int]:
        """The tokens that a model has to read at once, by the parameters that say so."""
        tasks = {f"tasks.{name}.max_length": task.max_length for name, task in self.tasks.items()}
        return {**tasks, "pretrain.sequence_length": self.pretrain.sequence_length}

    @classmethod
    def section_type(cls, name: str) -> type[Section] | None:
        """The schema of a section by the name it has in params.yaml, or None."""
        for key, field in cls.model_fields.items():
            if name == (field.alias or key) and isinstance(field.annotation, type):
                return field.annotation if issubclass(field.annotation, Section) else None
        return None

    def section(self, name: str) -> Any:
        """A section by the name it has in params.yaml, or None."""
        return next(
            (getattr(self, key) for key, field in Params.model_fields.items() if name == (field.alias or key)), None
        )


def load_params(path: Path) -> Params:
    """Read and check params.yaml. Raises ParameterError naming the key and the nearest known one."""
    return check_params(read_yaml(path), path.name)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, unchecked. Raises ParameterError naming the line."""
    from ruamel.yaml import YAML, YAMLError

    try:
        content = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParameterError(f"{path}: no such file", "run this inside a Lianzi project") from None
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path}: not UTF-8 (byte {error.start})") from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f":{mark.line + 1}" if mark else ""
        raise ParameterError(f"{path}{where}: not YAML: {getattr(error, 'problem', error)}") from None
    if not isinstance(content, dict):
        raise ParameterError(f"{path}: expected sections such as 'pretrain:', found {type(content).__name__}")
    return content


def check_params(content: Mapping[str, Any], origin: str) -> Params:
    """Check a mapping against the schema. Raises ParameterError for the first thing wrong."""
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        keys = [str(key) for key in first["loc"]]
        hint = ""
        if first["type"] == "extra_forbidden":
            hint = _nearest(keys)
            reason = "unknown parameter"
        elif first["type"] == "missing":
            reason = "missing"
        else:
            message = first["msg"].removeprefix("Value error, ")
            own = first["type"] == "value_error"
            reason = message if own else f"{message[:1].lower()}{message[1:]}, not {first['input']!r}"
        raise ParameterError(f"{origin}: {'.'.join(keys)}: {reason}", hint) from None


def flatten(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one level with dotted keys; lists stay values."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def closest(name: str, known: Iterable[str]) -> str | None:
    """The one that was probably meant: by its initials (lr: learning_rate), letter by letter, or as a word of it."""
    names, wanted = list(known), name.lower()
    initials = (one for one in names if len(wanted) > 1 and "".join(word[:1] for word in one.split("_")) == wanted)
    alike = difflib.get_close_matches(wanted, names, n=1, cutoff=0.55)
    words = (one for one in names if wanted in one.split("_"))
    return next(initials, None) or next(iter(alike), None) or next(words, None)


def _nearest(keys: list[str]) -> str:
    """A 'did you mean' for an unknown key, from the section it stands in."""
    known = [field.alias or name for name, field in _section_at(keys[:-1]).model_fields.items()]
    close = closest(keys[-1], known)
    if close:
        return f"did you mean '{close}'?"
    return f"known here: {', '.join(known)}"


def _section_at(keys: list[str]) -> type[BaseModel]:
    """The schema of a section; below `tasks`, `corpus` and `curate.languages` that of an entry, whatever its name."""
    entries: dict[tuple[str, ...], type[BaseModel]] = {
        ("tasks",): TaskConfig,
        ("corpus",): SourceConfig,
        ("curate", "languages"): LanguageConfig,
    }
    section: type[BaseModel] = Params
    for place, key in enumerate(keys):
        fields = {field.alias or name: field.annotation for name, field in section.model_fields.items()}
        found = entries.get(tuple(keys[:place])) or fields.get(key)
        if isinstance(found, type) and issubclass(found, BaseModel):
            section = found
    return section
