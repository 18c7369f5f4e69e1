"""The table of baselines: which has to be beaten, and which may stand beside it. Listing them imports none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from components.evaluation.baselines.baseline import Baseline
    from components.tasks.task import Task


class Entry(NamedTuple):
    """Where its class stands, MODULE:CLASS; what it is called in a sentence, and in a table."""

    path: str
    phrase: str
    title: str


BASELINES = {
    "bm25": Entry("components.evaluation.baselines.bm25:Bm25Baseline", "counting shared words", "BM25"),
    "crf": Entry("components.evaluation.baselines.crf:Crf", "a conditional random field", "conditional random field"),
    "hmm": Entry("components.evaluation.baselines.hmm:Hmm", "a hidden Markov model", "hidden Markov model"),
    "label_sets": Entry(
        "components.evaluation.baselines.label_sets:LabelSetBaseline", "counting words", "counting words (TF-IDF)"
    ),
    "lstm": Entry("components.evaluation.baselines.lstm:Lstm", "an LSTM", "bidirectional LSTM"),
    "n_grams": Entry(
        "components.evaluation.baselines.n_grams:NGrams", "counting n-grams", "n-grams (modified Kneser-Ney)"
    ),
    "nearest_choice": Entry(
        "components.evaluation.baselines.nearest_choice:NearestChoice",
        "the choice with the text's words",
        "the choice with the text's words",
    ),
    "ridge": Entry("components.evaluation.baselines.ridge:RidgeBaseline", "counting words", "counting words (TF-IDF)"),
    "sliding_window": Entry(
        "components.evaluation.baselines.sliding_window:SlidingWindow",
        "the span among the question's words",
        "the span among the question's words",
    ),
    "skip_gram": Entry(
        "components.evaluation.baselines.word_vectors:SkipGram",
        "word vectors",
        "word vectors (skip-gram) + linear layer",
    ),
    "texts": Entry(
        "components.evaluation.baselines.texts:TextBaseline", "writing without a model", "writing without a model"
    ),
    "tf_idf": Entry("components.evaluation.baselines.tf_idf:TfIdf", "counting words", "counting words (TF-IDF)"),
    "word_tags": Entry(
        "components.evaluation.baselines.word_tags:WordTags",
        "each word's most frequent tag",
        "each word's most frequent tag",
    ),
}
TO_BEAT = {
    ("causal_lm", "categorical"): "n_grams",
    ("choices", "categorical"): "nearest_choice",
    ("embedding", "categorical"): "bm25",
    ("seq2seq_lm", "categorical"): "texts",
    ("sequence", "binary"): "label_sets",
    ("sequence", "categorical"): "tf_idf",
    ("sequence", "real"): "ridge",
    ("spans", "categorical"): "sliding_window",
    ("tokens", "categorical"): "word_tags",
}
"""Head and kind of output of a task -> its baseline: a release compares with it, or with a stronger one of FURTHER."""
STRONGEST = "to_beat"
"""The key of metrics/evaluate/TASK.json with the name of the strongest of several baselines."""
FURTHER = {
    "crf": ("tokens", "categorical"),
    "hmm": ("tokens", "categorical"),
    "lstm": ("sequence", "categorical"),
    "skip_gram": ("sequence", "categorical"),
}
"""Those that `evaluate.baselines` may name -> the head and kind of output of the tasks that they can do."""


def to_beat(task: Task) -> Entry:
    """The baseline that every task of its kind has; alone, it is the one that a model has to beat."""
    return BASELINES[TO_BEAT[task.head, task.output.kind]]


def compared_with(metrics: Mapping[str, Any], task: Task) -> Entry:
    """The baseline that an evaluation's `over_baseline` is about: the strongest of several, or the task's own."""
    return BASELINES.get(metrics.get(STRONGEST, ""), to_beat(task))


def further(names: Sequence[str], task: Task) -> dict[str, Entry]:
    """Of the baselines with these names those that can do a task, in the order of their names' list."""
    suits = (task.head, task.output.kind)
    return {name: BASELINES[name] for name in names if FURTHER[name] == suits}


def baseline_class(entry: Entry) -> type[Baseline]:
    """Imported here, since a task of one kind loads no code of another."""
    module, _, name = entry.path.partition(":")
    found: type[Baseline] = getattr(import_module(module), name)
    return found
