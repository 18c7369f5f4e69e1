"""params.yaml: a section a stage, checked by the class that stands beside the stage."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel, Field, SerializeAsAny, ValidationError, field_validator, model_validator

from components.analysis.config import AnalyzeConfig
from components.artifacts import is_plain_name, is_plain_path
from components.corpus.config import CurateConfig, SourceConfig, ValidateConfig
from components.deployment.config import (
    BuildConfig,
    EvaluateConfig,
    ExportConfig,
    GateConfig,
    QuantizeConfig,
    ReleaseConfig,
    WatchConfig,
)
from components.errors import ParameterError
from components.modeling.config import ModelConfig
from components.modeling.kinds import (
    ARCHITECTURES,
    CANNOT,
    CARRIERS,
    ENCODER_DECODERS,
    FIXED_WIDTH,
    FROM_SCRATCH,
    GENERATES,
    INDEPENDENT_HEADS,
    ONE_STACK,
    SAME,
    WHOLE_HEADS,
)
from components.sections import Section, Variant
from components.tasks.config import TaskConfig
from components.tasks.kinds import KINDS
from components.tokenization.config import TokenizeConfig, TrainTokenizerConfig
from components.training.config import DistillConfig, FinetuneConfig, PretrainConfig, TrainerConfig

TAKEN = ("corpus", "pretrained", "tasks", "tokenizer", "tokens", "validation")
"""What artifacts/ holds beside a folder for each task."""


class Params(Section):
    """The whole of params.yaml. A source that `corpus` does not name has weight 1 and tells its language itself."""

    seed: Annotated[int, Field(ge=0)]
    tasks: Annotated[dict[str, SerializeAsAny[TaskConfig]], Field(min_length=1)]
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
    analyze: AnalyzeConfig
    release: ReleaseConfig
    watch: WatchConfig

    @model_validator(mode="after")
    def _weights_come_from_somewhere(self) -> Params:
        if self.pretrain.init_from is None and self.model.architecture not in FROM_SCRATCH:
            raise ValueError(
                f"model.architecture: {self.model.architecture} comes as a checkpoint alone: set pretrain.init_from, "
                f"or it to {', '.join(FROM_SCRATCH)}"
            )
        return self

    @model_validator(mode="after")
    def _tasks_have_their_model(self) -> Params:
        """Known before any work: pretraining may take days."""
        own = self.model.architecture
        for name, task in self.tasks.items():
            head = KINDS[task.kind].head
            able = CARRIERS[head] if head else ONE_STACK
            if own not in able:
                raise ValueError(
                    f"tasks.{name}.kind: {own} cannot {CANNOT.get(head, 'label texts')}; {', '.join(able)} can: set "
                    "model.architecture to one of them, or the task to another kind"
                )
        return self

    @model_validator(mode="after")
    def _encoder_decoders_keep_their_width(self) -> Params:
        narrow = [name for name in ("width_fraction", "ffn_fraction") if getattr(self.distill, name) < 1]
        if narrow and self.model.architecture in ENCODER_DECODERS:
            raise ValueError(
                f"distill.{narrow[0]}: a {self.model.architecture} is made smaller by layers alone: set "
                f"{' and '.join(f'distill.{name}' for name in narrow)} to 1.0"
            )
        return self

    @model_validator(mode="after")
    def _channels_can_go(self) -> Params:
        """Known before any work, as that of a checkpoint's family is."""
        narrower, kind = self.distill.width_fraction < 1, self.model.architecture
        if narrower and self.pretrain.init_from is None and kind in FIXED_WIDTH:
            raise ValueError(
                f"distill.width_fraction: a {kind} cannot be made narrower: set it to 1.0 and lower "
                "distill.depth_fraction or distill.ffn_fraction"
            )
        return self

    @model_validator(mode="after")
    def _a_student_can_learn(self) -> Params:
        own, other = self.model.architecture, self.distill.architecture
        if other == own:
            raise ValueError(f"distill.architecture: {own} is its teacher's: set it to {SAME}")
        if self.distill.features.name == "attention_relations":
            for name, one in (("model", own), ("distill", other)):
                if one in WHOLE_HEADS:
                    others = ", ".join(kind for kind in ARCHITECTURES if kind not in WHOLE_HEADS)
                    raise ValueError(
                        f"{name}.architecture: no queries and keys of a {one} can be read, of {others} they can: "
                        "choose one of them, or set distill.features.name to hidden_states"
                    )
        if other != SAME:
            for task, section in self.tasks.items():
                head = KINDS[section.kind].head
                able = CARRIERS[head] if head else ONE_STACK
                if other not in able:
                    fitting = [SAME, *(kind for kind in FROM_SCRATCH if kind in able and kind != own)]
                    raise ValueError(
                        f"distill.architecture: a {other} cannot {CANNOT.get(head, 'label texts')}, as tasks.{task} "
                        f"asks: set it to {', '.join(fitting)}"
                    )
        return self

    @model_validator(mode="after")
    def _something_to_train(self) -> Params:
        generating = [name for name, task in self.tasks.items() if KINDS[task.kind].head in GENERATES]
        if generating and self.finetune.adapter.name == "frozen":
            raise ValueError(
                "finetune.adapter.name: frozen trains a new head alone, and a language model "
                f"(tasks.{generating[0]}) gets none: set it to lora or full"
            )
        return self

    @model_validator(mode="after")
    def _teachers_write(self) -> Params:
        other = next((name for name, task in self.tasks.items() if KINDS[task.kind].head not in GENERATES), None)
        if other and self.distill.targets.name == "sequence_level":
            raise ValueError(
                f"distill.targets.name: sequence_level learns what a teacher writes, and tasks.{other} of kind "
                f"{self.tasks[other].kind} is not answered with texts: set it to labels"
            )
        return self

    @model_validator(mode="after")
    def _preferences_are_of_answers(self) -> Params:
        other = next((name for name, task in self.tasks.items() if task.kind != "generation"), None)
        if other and self.finetune.loss.name == "dpo":
            raise ValueError(
                f"finetune.loss.name: dpo learns from pairs of answers, which tasks.{other} of kind "
                f"{self.tasks[other].kind} has not: set it to supervised, or the kind to generation"
            )
        return self

    @model_validator(mode="after")
    def _tokenizer_has_their_tokens(self) -> Params:
        for name, task in self.tasks.items():
            if missing := [
                token for token in task.special_tokens() if token not in self.train_tokenizer.special_tokens
            ]:
                whole = ", ".join(f'"{token}"' for token in (*self.train_tokenizer.special_tokens, *missing))
                raise ValueError(
                    f"tasks.{name}.kind: {task.kind} needs tokens of its own: write "
                    f"train_tokenizer.special_tokens: [{whole}]"
                )
        return self

    @model_validator(mode="after")
    def _heads_can_go(self) -> Params:
        """Of a checkpoint this is looked at where its family is known."""
        fewer, kind = self.distill.head_fraction < 1, self.model.architecture
        if fewer and self.pretrain.init_from is None and kind not in INDEPENDENT_HEADS:
            raise ValueError(
                f"distill.head_fraction: a {kind} has as many heads as fill its width: set it to 1.0 and lower "
                "distill.width_fraction, which takes heads along"
            )
        return self

    @model_validator(mode="after")
    def _behaviour_tests_have_their_task(self) -> Params:
        for test in self.analyze.robustness.tests:
            if test.task not in self.tasks:
                raise ValueError(
                    f"analyze.robustness.tests: {test.name} is of task {test.task!r:.60}, "
                    f"known: {', '.join(self.tasks)}"
                )
        return self

    @field_validator("tasks")
    @classmethod
    def _named(cls, tasks: dict[str, TaskConfig]) -> dict[str, TaskConfig]:
        """A task's name is a folder, a model, a part of an address, and between the dots of a parameter."""
        for name in tasks:
            if not is_plain_name(name) or "." in name:
                raise ValueError(f"{name!r:.200} is not a name for a task: letters, digits, `_` and `-`")
            if name in TAKEN:
                raise ValueError(f"'{name}' is not a name for a task: artifacts/{name} is something else")
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
            hint = _hint(content, keys)
            reason = "unknown parameter"
        elif first["type"] == "missing":
            hint = _hint(content, keys) if len(keys) > 1 else ""
            reason = "missing"
        else:
            message = first["msg"].removeprefix("Value error, ")
            own = first["type"] == "value_error"
            reason = message if own else f"{message[:1].lower()}{message[1:]}, not {first['input']!r}"
        # What concerns several sections names its key itself.
        raise ParameterError(": ".join(part for part in (origin, ".".join(keys), reason) if part), hint) from None


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


def section_at(content: Any, keys: Iterable[str]) -> type[BaseModel] | None:
    """The class of the section that stands under `keys`, of several the one that the content itself names."""
    found: Any = Params
    for key in keys:
        found = _field_type(found, key)
        content = content.get(key) if isinstance(content, Mapping) else None
        if _is_section(found) and issubclass(found, Variant) and isinstance(content, Mapping):
            found = found.variant(content.get(found.discriminator()))
    return found if _is_section(found) else None


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _field_type(owner: Any, key: str) -> Any:
    """The type of a field by the name it has in params.yaml, or of an entry under a name of the user's own."""
    if _is_section(owner):
        owner = {field.alias or name: field.annotation for name, field in owner.model_fields.items()}.get(key)
    else:
        owner = get_args(owner)[1] if get_origin(owner) is dict else None
    return get_args(owner)[0] if get_origin(owner) is Annotated else owner


def _hint(content: Mapping[str, Any], keys: list[str]) -> str:
    """What to write instead of an unknown key, or what a section lacks, from the section it stands in."""
    *above, key = keys
    section = section_at(content, above)
    known = [field.alias or name for name, field in section.model_fields.items()] if section else []
    inside = [f"{name}.{key}" for name in known if _has(section_at(content, [*above, name]), key)]
    close = next(iter(inside), None) or closest(key, known)
    if close and close != key:
        return f"did you mean '{close}'?"
    if section and issubclass(section, Variant):
        decides = section.discriminator()
        values = [f"{name}: {_value_at(content, [*above, name]) if name == decides else '…'}" for name in known]
        return f"write {above[-1]}: {{{', '.join(values)}}}"
    return f"known here: {', '.join(known)}"


def _value_at(content: Any, keys: Iterable[str]) -> Any:
    for key in keys:
        content = content.get(key, "…")
    return content


def _has(section: type[BaseModel] | None, key: str) -> bool:
    return section is not None and key in section.model_fields
