"""The trial run of each training stage: its inputs, existing or dummies, and the arguments for a few steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Protocol

from components.modeling.checkpoints import load_tokenizer
from components.planning import dummy_artifacts
from components.planning.inputs import Inputs, longest_places, spread_places
from components.planning.jobs import (
    Job,
    blank_language_model,
    distill_job,
    finetune_job,
    from_scratch_job,
    pretrain_job,
    sketched_task_job,
)
from components.tasks.rows import EVERY_ROW, LabelShare, read_split
from components.training.task_data import TaskData
from components.training.task_training import VALIDATION_BATCH


class TrialRun(Protocol):
    """A stage to try. `alike`: all its batches have one shape; `outputs`: its output arguments."""

    inputs: Inputs
    given: dict[str, Any]
    alike: bool
    outputs: tuple[str, ...]
    reading_seconds: float

    def sketch(self) -> Job:
        """The estimate of the stage before any array of the model's size exists."""

    def prepare(self) -> None:
        """Create the missing inputs, and read the inputs of the stage."""

    def job(self) -> Job:
        """The estimate of the stage, once prepared."""

    def given_for(self, steps: int, validation_batches: int, longest: bool) -> dict[str, Any]:
        """The stage's arguments for a run of a few steps, on the longest rows or on rows of all lengths."""


class PretrainTrial:
    """Pretraining for a few steps: windows of tokens all have one length."""

    alike = True
    outputs: tuple[str, ...] = ("pretrained",)
    reading_seconds = 0.0

    def __init__(self, given: dict[str, Any], inputs: Inputs) -> None:
        self.inputs = inputs
        tokenizer = inputs.tokenizer_folder([])
        self.given = {**given, "tokenizer": tokenizer, "tokens": inputs.tokens_folder(given["tokens"], tokenizer)}

    def sketch(self) -> Job:
        vocabulary = load_tokenizer(self.given["tokenizer"])
        return pretrain_job(self.given, blank_language_model(self.inputs.params, vocabulary), vocabulary)

    def prepare(self) -> None:
        """Nothing to do: tokens are memory-mapped."""

    def job(self) -> Job:
        return self.sketch()

    def given_for(self, steps: int, validation_batches: int, longest: bool) -> dict[str, Any]:
        config = self.given["config"]
        few = {"steps": steps, "validate_every": steps, "validation_sequences": validation_batches * config.batch_size}
        return {**self.given, "config": config.model_copy(update=few)}


class TaskTrial:
    """A training over a few of the task's rows; all rows are read, as in the stage."""

    alike = False

    def __init__(
        self,
        given: dict[str, Any],
        inputs: Inputs,
        source: str,
        output: str,
        count: Callable[[dict[str, Any], TaskData], Job],
        once: Mapping[str, Any] = MappingProxyType({}),
        **fixed: Any,
    ) -> None:
        """`source`: the argument with the model to start from; `output`: that with the one it makes; `count`: estimates
        the job; `fixed`: config values of a trial run, `once`: of those after the first.
        """
        self.inputs, self.source, self.fixed, self.once = inputs, source, fixed, once
        self.outputs: tuple[str, ...] = (output,)
        self._count = count
        self.rows = inputs.rows_folder(given["rows"], given["task_name"])
        self.given = {**given, "rows": self.rows}
        self.reading_seconds = 0.0
        self._data: TaskData | None = None

    def sketch(self) -> Job:
        if not self.inputs.there(self.given[self.source]):
            vocabulary = load_tokenizer(self.inputs.tokenizer_folder([self.rows]))
            return sketched_task_job(self.given, blank_language_model(self.inputs.params, vocabulary))
        return self.job()

    def prepare(self) -> None:
        if self.inputs.there(self.given[self.source]):
            return
        tokenizer = self.inputs.tokenizer_folder([self.rows])
        if self.source == "pretrained":
            made = self.inputs.pretrained_folder(self.given["pretrained"], tokenizer)
        else:
            made = self.inputs.teacher_folder(self.given["teacher"], self.rows, tokenizer)
        self.given[self.source] = made

    def job(self) -> Job:
        return self._count(self.given, self.data)

    @property
    def data(self) -> TaskData:
        """The rows, read and encoded once, and kept as in the stage."""
        if self._data is None:
            began, task = time.monotonic(), self.given["task"]
            tokenizer = load_tokenizer(self.given[self.source])
            self._data = TaskData.read(self.rows, task, tokenizer, self.share)
            self.reading_seconds = time.monotonic() - began
        return self._data

    @property
    def share(self) -> LabelShare:
        """The training rows that the stage learns from."""
        params = self.inputs.params
        return LabelShare(params.finetune.label_fraction, params.seed)

    def given_for(self, steps: int, validation_batches: int, longest: bool) -> dict[str, Any]:
        folder = self.inputs.trials / f"{steps} steps of rows"
        train, validation = self.data.train.lengths, self.data.validation.lengths
        count = validation_batches * VALIDATION_BATCH
        chosen = longest_places if longest else spread_places
        task = self.data.task
        learned = self.share.places(read_split(self.rows / "train.jsonl", task), task)
        dummy_artifacts.rows(
            folder,
            self.rows,
            {
                "train": [learned[place] for place in chosen(train, steps * self.given["config"].batch_size)],
                "validation": longest_places(validation, count) if longest else range(min(count, len(validation))),
            },
        )
        few = {"epochs": 1, "min_steps": 1, **self.fixed, **({} if longest else self.once)}
        config = self.given["config"].model_copy(update=few)
        whole = {"share": EVERY_ROW} if "share" in self.given else {}
        return {**self.given, "config": config, "rows": folder, **whole}


TRIAL_RUNS: dict[str, Callable[[dict[str, Any], Inputs], TrialRun]] = {
    "pretrain": PretrainTrial,
    "finetune": lambda given, inputs: TaskTrial(
        given, inputs, "pretrained", "teacher", finetune_job, seeds=[], label_fraction=1.0
    ),
    "train_from_scratch": lambda given, inputs: TaskTrial(
        given, inputs, "pretrained", "scratch", from_scratch_job, seeds=[], label_fraction=1.0
    ),
    # A few steps teach nothing: the student is to be taken as it is. Words are counted before the steps, of which only
    # the first trial run tells how long it takes.
    "distill": lambda given, inputs: TaskTrial(
        given, inputs, "teacher", "student", distill_job, {"count_words": False}, max_loss=1.0
    ),
}
"""The stages that can be profiled."""
