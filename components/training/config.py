"""Parameters of pretraining, fine-tuning and distillation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, SerializeAsAny, field_validator, model_validator

from components.modeling.config import OBJECTIVES, ObjectiveConfig
from components.modeling.kinds import FROM_SCRATCH, SAME
from components.sections import Count, MaxLossConfig, Rate, Section, Share, Variant

Precision = Literal["auto", "bf16", "fp32"]


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

    def rate_decay(self) -> float:
        """From a layer's learning rate to that of the layer below; fine-tuning alone has a parameter for it."""
        return 1.0


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


class PretrainConfig(TrainingConfig):
    """steps x batch_size sequences x sequence_length tokens are seen; with 0 steps the checkpoint goes on as it is.

    document_attention: the documents in a window do not see each other.
    """

    objective: SerializeAsAny[ObjectiveConfig]
    init_from: str | None
    steps: Annotated[int, Field(ge=0)]
    sequence_length: Annotated[int, Field(ge=8)]
    document_attention: bool
    validate_every: Count
    validation_sequences: Count

    @model_validator(mode="before")
    @classmethod
    def _objective_has_its_own_parameters(cls, given: Any) -> Any:
        """Once the objective was a name, and the parameters of all objectives stood beside it."""
        name = given.get("objective") if isinstance(given, Mapping) else None
        if isinstance(name, str):
            if name not in OBJECTIVES:
                return {**given, "objective": {"name": name}}
            written = {field: given.get(field, "…") for field in ObjectiveConfig.variant(name).model_fields}
            entry = ", ".join(f"{field}: {value}" for field, value in (written | {"name": name}).items())
            known = set().union(*(kind.model_fields for kind in OBJECTIVES.values()))
            beside = [field for field in given if field in known]
            remove = f", and remove {', '.join(beside)} beside it" if beside else ""
            raise ValueError(f"write objective: {{{entry}}}{remove}")
        return given

    @model_validator(mode="after")
    def _something_to_go_on_with(self) -> PretrainConfig:
        if self.steps == 0 and self.init_from is None:
            raise ValueError("steps: 0 takes the checkpoint of init_from as it is, but init_from is null")
        return self


class AdapterConfig(Variant):
    """What is trained of a pretrained model, by its name: `full` all of it, `frozen` the new head alone."""

    called = "adapter"

    name: str

    @classmethod
    def variants(cls) -> Mapping[str, type[Variant]]:
        return ADAPTERS

    @field_validator("name", mode="before")
    @classmethod
    def _without_vectors(cls, name: object) -> object:
        if name in ("prompt", "prefix"):
            raise ValueError(f"{name} tuning: no graph has a place for its vectors; lora trains as few weights")
        return name


class LoraConfig(AdapterConfig):
    """Low-rank updates of linear layers, scaled by alpha / rank; targets: the layers by their names in a transformer
    layer, null for all of them; dropout: of what the updates read."""

    rank: Count
    alpha: Count
    dropout: Annotated[float, Field(ge=0, lt=1)]
    targets: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] | None


ADAPTERS: Mapping[str, type[AdapterConfig]] = {"full": AdapterConfig, "frozen": AdapterConfig, "lora": LoraConfig}
"""modeling/adapters/NAME.py -> its parameters."""


class LossConfig(Variant):
    """What fine-tuning minimises, by its name: `supervised`, the loss of the task's kind, or `dpo`."""

    called = "loss"

    name: str

    @classmethod
    def variants(cls) -> Mapping[str, type[Variant]]:
        return LOSSES


class DpoConfig(LossConfig):
    """beta: how strongly the model is held to its reference, the larger the closer (Rafailov 2023)."""

    beta: Rate


LOSSES: Mapping[str, type[LossConfig]] = {"supervised": LossConfig, "dpo": DpoConfig}
"""training/losses/NAME.py -> its parameters."""


class FinetuneConfig(TaskTrainingConfig):
    """loss: what is minimised; adapter: what of the pretrained model is trained; layer_decay: from a layer's learning
    rate to that of the layer below (Clark 2020), 1 for none; seeds: of several fine-tunings, the best of which goes on,
    none for the project's seed alone; label_fraction: of the training rows of every label that the task is learned
    from; without_pretraining: whether the same model is trained from random weights too, as a control.
    """

    loss: SerializeAsAny[LossConfig]
    adapter: SerializeAsAny[AdapterConfig]
    layer_decay: Annotated[float, Field(gt=0, le=1)]
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

    @model_validator(mode="after")
    def _something_for_the_optimizer(self) -> FinetuneConfig:
        if self.optimizer == "muon" and self.adapter.name == "frozen":
            raise ValueError("optimizer: muon trains the layers' matrices, which adapter frozen leaves: use adamw")
        return self

    @model_validator(mode="after")
    def _a_reference_to_prefer_by(self) -> FinetuneConfig:
        if self.loss.name == "dpo" and self.without_pretraining:
            raise ValueError(
                "loss: dpo compares with the weights that it begins with, and random ones know no answer: "
                "set without_pretraining to false"
            )
        return self

    def rate_decay(self) -> float:
        return self.layer_decay


class TargetsConfig(Variant):
    """Which answers a student learns, by their name: `labels`, the rows' own, or `sequence_level`."""

    called = "targets"

    name: str

    @classmethod
    def variants(cls) -> Mapping[str, type[Variant]]:
        return TARGETS


class SequenceLevelConfig(TargetsConfig):
    """What the teacher writes (Kim & Rush 2016). beams: of its search, 1 for greedy answers."""

    beams: Count


TARGETS: Mapping[str, type[TargetsConfig]] = {"labels": TargetsConfig, "sequence_level": SequenceLevelConfig}
"""training/targets/NAME.py -> its parameters."""


class FeaturesConfig(Variant):
    """What a student imitates of its teacher's layers, by its name; weight: beside its answers, 0 for nothing."""

    called = "features"

    name: str
    weight: Annotated[float, Field(ge=0)]

    @classmethod
    def variants(cls) -> Mapping[str, type[Variant]]:
        return FEATURES


class RelationsConfig(FeaturesConfig):
    """Attention relations of the last layer. relations: whose vectors are multiplied with whose, `query-query`,
    `key-key` and `value-value` in MiniLMv2, `query-key` and `value-value` in MiniLM; heads: into which both models'
    are divided."""

    relations: Annotated[list[Literal["query-query", "key-key", "value-value", "query-key"]], Field(min_length=1)]
    heads: Count


FEATURES: Mapping[str, type[FeaturesConfig]] = {
    "hidden_states": FeaturesConfig,
    "attention_relations": RelationsConfig,
}
"""training/features/NAME.py -> its parameters."""


class DistillConfig(TaskTrainingConfig, MaxLossConfig):
    """Soft labels at `temperature` (Hinton 2015), and features of the layers.

    architecture: of the student, `same` for a pruned copy of its teacher; another begins with random weights, with so
    many layers and as wide as depth_fraction and width_fraction say;
    width_fraction, ffn_fraction, head_fraction: of the teacher's channels (Muralidharan 2024), feed-forward neurons and
    attention heads (Michel 2019);
    quantization_aware: share of the steps, the last ones, in which int8 rounds the forward pass (Jacob 2018);
    count_words: learn from TF-IDF with logistic regression too, in the share that is best on the validation rows;
    min_token_count: how often a token must stand in the training rows to stay in the student's vocabulary, 0 keeps all;
    targets: the answers that the student learns; max_loss: on validation rows, to its teacher, before a larger student
    is tried.
    """

    architecture: str
    depth_fraction: Annotated[float, Field(gt=0, le=1)]
    width_fraction: Annotated[float, Field(gt=0, le=1)]
    ffn_fraction: Annotated[float, Field(gt=0, le=1)]
    head_fraction: Annotated[float, Field(gt=0, le=1)]
    min_token_count: Annotated[int, Field(ge=0)]
    targets: SerializeAsAny[TargetsConfig]
    temperature: Rate
    soft_weight: Share
    count_words: bool
    features: SerializeAsAny[FeaturesConfig]
    quantization_aware: Share

    @field_validator("architecture")
    @classmethod
    def _can_begin(cls, name: str) -> str:
        if name not in (SAME, *FROM_SCRATCH):
            raise ValueError(f"no student begins as a {name!r:.100}; known: {', '.join((SAME, *FROM_SCRATCH))}")
        return name

    @model_validator(mode="after")
    def _nothing_to_prune(self) -> DistillConfig:
        """Units of one architecture are none of another."""
        if self.architecture == SAME:
            return self
        for name in ("ffn_fraction", "head_fraction"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: is of a pruned copy, and a {self.architecture} begins anew: set it to 1.0")
        if self.features.name == "hidden_states" and self.features.weight:
            raise ValueError(
                f"features: hidden states of a {self.architecture} have other channels than its teacher's: set name to "
                "attention_relations, or weight to 0.0"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _features_have_a_name(cls, given: Any) -> Any:
        """Once hidden states were all that there was to imitate."""
        if isinstance(given, Mapping) and "hidden_weight" in given:
            weight = given["hidden_weight"]
            raise ValueError(f"write features: {{name: hidden_states, weight: {weight}}}, and remove hidden_weight")
        return given
