"""The table of task kinds: `tasks.NAME.kind` in params.yaml -> its class. Listing it imports none of them."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from components.errors import ParameterError

if TYPE_CHECKING:
    from components.tasks.task import Task


class Kind(NamedTuple):
    """Where its class stands, MODULE:CLASS; the name and title of its first metric; the class of its parameters, where
    it has more than every kind; its head, where not all architectures carry it."""

    path: str
    metric: str
    title: str
    config: str | None = None
    head: str | None = None


KINDS = {
    "classification": Kind(
        "components.tasks.classification:Classification", "macro_f1", "macro-F1", "components.tasks.config:TextsConfig"
    ),
    "generation": Kind("components.tasks.generation:Generation", "perplexity", "perplexity", head="causal_lm"),
    "multiple_choice": Kind("components.tasks.multiple_choice:MultipleChoice", "accuracy", "accuracy"),
    "multi_label": Kind(
        "components.tasks.multi_label:MultiLabel", "micro_f1", "micro-F1", "components.tasks.config:MultiLabelConfig"
    ),
    "question_answering": Kind(
        "components.tasks.question_answering:QuestionAnswering", "f1", "F1", "components.tasks.config:AnswersConfig"
    ),
    "regression": Kind(
        "components.tasks.regression:Regression",
        "pearson",
        "Pearson correlation",
        "components.tasks.config:TextsConfig",
    ),
    "relation_extraction": Kind(
        "components.tasks.relation_extraction:RelationExtraction",
        "micro_f1",
        "micro-F1",
        "components.tasks.config:RelationConfig",
    ),
    "retrieval": Kind(
        "components.tasks.retrieval:Retrieval", "ndcg_at_10", "nDCG@10", "components.tasks.config:RetrievalConfig"
    ),
    "summarization": Kind("components.tasks.summarization:Summarization", "rouge_l", "ROUGE-L", head="seq2seq_lm"),
    "token_classification": Kind(
        "components.tasks.token_classification:TokenClassification",
        "span_f1",
        "span F1",
        "components.tasks.config:TaggingConfig",
    ),
    "translation": Kind("components.tasks.translation:Translation", "chrf", "chrF", head="seq2seq_lm"),
}
"""A kind's module has its name: dvc.yaml names the file by it."""
_BESIDE_OTHERS = ("macro_f1", "chrf", "token_accuracy", "accuracy")
"""Deciding metrics that also stand, as further ones, beside what decides another kind."""
_TITLES = {
    "preference_accuracy": "preference accuracy",
    **{kind.metric: kind.title for kind in KINDS.values()},
    "token_accuracy": "token accuracy",
}
METRICS = dict(sorted(_TITLES.items(), key=lambda one: one[0] in _BESIDE_OTHERS and 1 + _BESIDE_OTHERS.index(one[0])))
"""Name -> title of the metrics that decide; the first of them among a task's metrics decides that task."""


def deciding(names: Collection[str]) -> str | None:
    """Among the names of a task's metrics, and others, the metric that decides."""
    return next((name for name in METRICS if name in names), None)


def score_told(tags: Mapping[str, str]) -> str:
    """The deciding score among a version's tags: `macro-F1 0.861000`."""
    name = deciding(tags)
    return "score ?" if name is None else f"{METRICS[name]} {tags[name]}"


def nearest(name: str) -> str:
    """The kinds that somebody may have meant who named one that there is not."""
    near = difflib.get_close_matches(name, KINDS, n=3, cutoff=0.4)
    return f"nearest: {', '.join(near)}" if near else f"known: {', '.join(KINDS)}"


def task_kind(name: str) -> type[Task]:
    """The class of a kind. Raises ParameterError naming the nearest where there is none."""
    if name not in KINDS:
        raise ParameterError(f"no task kind {name!r:.100}", nearest(name))
    module, _, class_name = KINDS[name].path.partition(":")
    found: type[Task] = getattr(import_module(module), class_name)
    return found


def task_of(made: Mapping[str, Any]) -> Task:
    """The task that a manifest describes; one without a kind is of the time when all were classification."""
    task = task_kind(made.get("task_kind", "classification")).from_manifest(made)
    return replace(task, pair=True) if made.get("pair") is True else task
