"""Parameters of export, quantization, engines, the gate, evaluation and a release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from components.sections import BootstrapConfig, Count, Fraction, MaxLossConfig, Rate, Section, Share

FURTHER = ("crf", "hmm", "lstm", "skip_gram")
"""What `evaluate.baselines` may name. Their table stands beside them, which only `evaluate` depends on."""


class ExportConfig(Section):
    """opset: of the ONNX graph; max_difference: of logits against PyTorch; temperature: "fitted" divides the logits of
    a kind that picks one of its labels by the number that suits the validation rows."""

    opset: Annotated[int, Field(ge=18, le=26)]
    max_difference: Rate
    temperature: Literal["fitted"] | None

    @model_validator(mode="before")
    @classmethod
    def _as_before(cls, given: Any) -> Any:
        """A params.yaml from before the temperature is read as what it meant then."""
        return {"temperature": None, **given} if isinstance(given, Mapping) else given


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
    (it is refused when the whole bootstrap interval lies beyond), and must give min_agreement of the answers.

    min_token_agreement: of a language model, positions with the same likeliest token; min_cosine: of every vector of a
    sentence encoder with PyTorch's."""

    rows: Count
    max_difference: Rate
    max_noise: Rate
    min_agreement: Share
    min_token_agreement: Share
    min_cosine: Annotated[float, Field(ge=-1, le=1)]


class EvaluateConfig(BootstrapConfig):
    """Of every metric on the test rows. baselines: those that stand on the page beside the one to beat, of the tasks
    that they can do."""

    baselines: list[str]

    @field_validator("baselines")
    @classmethod
    def _known(cls, names: list[str]) -> list[str]:
        if unknown := next((name for name in names if name not in FURTHER), None):
            raise ValueError(f"no baseline {unknown!r:.100}; known: {', '.join(FURTHER)}")
        return list(dict.fromkeys(names))


class WatchConfig(Section):
    """tasks: to watch, none: each that has a champion; log: of the servers; window: rows of the log that are compared
    with validation rows; false_alarm_rate: of windows that have not drifted, and of each check of a canary; act:
    `retrain` trains again on drift where rows came since and follows what a canary showed, `report` only says so.

    canary_rows: answers to different texts after which a challenger that serves a share of them is judged, and as many
    requests to the champion; min_agreement: with the champion on the same texts; max_confidence_loss: of the mean score
    on them; max_slowdown: of the median request.
    """

    tasks: list[str]
    log: Annotated[str, Field(min_length=1)]
    window: Annotated[int, Field(ge=50)]
    false_alarm_rate: Annotated[float, Field(ge=0.001, le=0.5)]
    act: Literal["report", "retrain"]
    canary_rows: Annotated[int, Field(ge=50)]
    min_agreement: Share
    max_confidence_loss: Share
    max_slowdown: Rate


ADDED_LATER: Mapping[str, Any] = {
    "sure_gain": False,
    "max_milliseconds": None,
    "max_slowdown": None,
    "max_megabytes": None,
    "licences": [],
    "require_reproduced": False,
    "approval": False,
    "max_slice_gap": None,
    "max_calibration_error": None,
    "max_flip_rate": None,
    "max_fairness_gap": None,
    "max_leaked_rows": None,
    "max_memorised_rows": None,
}
"""Parameters of `release` that projects from before have not."""


class ReleaseConfig(MaxLossConfig):
    """max_loss: macro-F1 the shipped model may lose to its teacher; min_gain: over the champion;
    min_gain_over_baseline: in macro-F1 and accuracy over TF-IDF + logistic regression, where a paired interval lies
    wholly below.

    min_speedup: of a rung over the one above it, at batches of target_batch rows, with its whole interval at
    `confidence`; speed_rounds: times each is timed; batches: rows a call, beside target_batch; system_rounds: times the
    PyTorch models are timed beside the rungs.

    sure_gain: min_gain with the whole interval of the paired bootstrap; max_milliseconds: p50 of a call with
    target_batch rows; max_slowdown: times the champion's, timed in turn; max_megabytes: of the shipped rung; licences:
    the only ones that the corpus may have; require_reproduced: `lianzi reproduce` found the version's outputs equal;
    approval: a challenger waits for `lianzi approve`. null, or an empty list: no limit.

    Of what `analyze` finds: max_slice_gap, by how much the worst slice may be below the rest; max_calibration_error,
    the expected calibration error; max_flip_rate, the share of answers that a perturbation may change;
    max_fairness_gap, between the answers to two groups; max_leaked_rows, test rows that were seen in training;
    max_memorised_rows, training rows that a model writes word for word.
    """

    min_gain: Annotated[float, Field(ge=-1, le=1)]
    min_gain_over_baseline: Annotated[float, Field(ge=-1, le=1)]
    min_speedup: Rate
    target_batch: Count
    speed_rounds: Annotated[int, Field(ge=10)]
    confidence: Fraction
    batches: Annotated[list[Count], Field(min_length=1)]
    system_rounds: Annotated[int, Field(ge=10)]
    sure_gain: bool
    max_milliseconds: Rate | None
    max_slowdown: Rate | None
    max_megabytes: Rate | None
    licences: list[Annotated[str, Field(min_length=1)]]
    require_reproduced: bool
    approval: bool
    max_slice_gap: Share | None
    max_calibration_error: Share | None
    max_flip_rate: Share | None
    max_fairness_gap: Share | None
    max_leaked_rows: Annotated[int, Field(ge=0)] | None
    max_memorised_rows: Annotated[int, Field(ge=0)] | None

    @model_validator(mode="before")
    @classmethod
    def _as_before(cls, given: Any) -> Any:
        """A params.yaml from before these parameters is read as what it meant then: no such limit."""
        return {**ADDED_LATER, **given} if isinstance(given, Mapping) else given
