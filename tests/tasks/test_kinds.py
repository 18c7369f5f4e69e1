from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from components.errors import ParameterError
from components.tasks.config import TaskConfig
from components.tasks.kinds import KINDS, score_told, task_kind, task_of
from components.tasks.task import Task


def test_params_take_every_kind_and_no_other() -> None:
    for kind in KINDS:
        assert TaskConfig(kind=kind, language="en", max_length=16).kind == kind
    with pytest.raises(ValidationError, match="no task kind 'regresion'; nearest: regression"):
        TaskConfig(kind="regresion", language="en", max_length=16)


def fitted(name: str) -> Task:
    targets: dict[str, list[object]] = {"regression": [1.0, 2.0], "token_classification": [["B-X"], ["O"]]}
    targets |= {"multi_label": [["a", "b"], []], "question_answering": [{"text": ["a"], "answer_start": [0]}]}
    return task_kind(name).fit(targets.get(name, ["a", "b"]))


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_is_named_in_its_table_and_decides_by_the_metric_that_stands_there(name: str) -> None:
    kind = task_kind(name)
    assert (kind.kind, kind.__module__) == (name, f"components.tasks.{name}")
    task = fitted(name)
    assert (task.metrics[0].name, task.metrics[0].title) == KINDS[name][1:3]
    assert score_told({"rung": "int8", KINDS[name].metric: "0.8"}) == f"{task.metrics[0].title} 0.8"
    assert task_of(task.manifest()) == task


LABELLED = [name for name in KINDS if not (task_kind(name).output.per_token or task_kind(name).output.embeds)]


@pytest.mark.parametrize("name", LABELLED)
def test_of_categorical_outputs_the_likeliest_label_is_the_answer(name: str) -> None:
    task = fitted(name)
    outputs = np.random.default_rng(0).normal(size=(8, len(task.labels))).astype(np.float32)
    likeliest = task.decode(outputs).tolist() == outputs.argmax(axis=-1).tolist()
    assert likeliest == (task.output.kind == "categorical")


def test_a_kind_that_does_not_exist_is_refused_naming_the_nearest() -> None:
    with pytest.raises(ParameterError, match="no task kind 'clasification'") as refusal:
        task_kind("clasification")
    assert "nearest: classification" in str(refusal.value)
    with pytest.raises(ParameterError) as refusal:
        task_kind("xyz")
    assert "known: classification" in str(refusal.value)


def test_a_manifest_of_the_time_before_kinds_is_of_a_classifier() -> None:
    assert task_of({"labels": ["a", "b"]}) == task_kind("classification").fit(["b", "a"])


def test_kinds_are_listed_and_used_without_torch(root: Path) -> None:
    code = (
        "import sys, components.tasks.kinds as kinds; assert 'numpy' not in sys.modules; "
        "[kinds.task_kind(name) for name in kinds.KINDS]; assert not {'torch', 'transformers'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
