"""GLUE (Wang 2019): nine tasks of sentences and pairs of sentences, and a diagnostic set for MNLI's model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.suites.formats import tsv
from components.suites.scores import by_accuracy, by_correlation, by_f1_and_accuracy, by_matthews
from components.suites.suite import File, Part, Raw, Score, Submission, Suite, SuiteTask, label, texts

HUB = "nyu-mll/glue"
NLI = ("entailment", "neutral", "contradiction")
TWO_WAY = ("entailment", "not_entailment")
Columns = Mapping[str, str | int]


def predictions(of: Callable[[Any], str]) -> Callable[[Sequence[Raw], Sequence[Any]], str]:
    """GLUE's TSV: `index` and `prediction`."""

    def content(rows: Sequence[Raw], answers: Sequence[Any]) -> str:
        lines = (f"{number}\t{of(answer)}\n" for number, answer in enumerate(answers))
        return "".join(["index\tprediction\n", *lines])

    return content


def number_of(labels: Sequence[str]) -> Callable[[Any], str]:
    """A label as its number."""
    return lambda answer: str(labels.index(answer))


def _files(columns: Columns, **names: str) -> dict[str, tuple[File, ...]]:
    return {split: (File(name, tsv(columns)),) for split, name in names.items()}


def _task(
    name: str,
    title: str,
    columns: tuple[str, str],
    names: Columns,
    labels: tuple[str, ...],
    score: Score,
    answer: Callable[[Any], str] = str,
    **changes: Any,
) -> SuiteTask:
    """A task whose files are train.tsv, dev.tsv and test.tsv, and whose columns on the hub are `columns`."""
    pair = {"pair": True} if columns[1] else {}
    entry = {"kind": "classification", "language": "en", "max_length": 128, **pair}
    common: dict[str, Any] = {
        "hub": HUB,
        "config": name,
        "folders": (title, name),
        "files": _files(names, train="train.tsv", validation="dev.tsv", test="test.tsv"),
        "kind": entry,
        "inputs": texts(*columns),
        "target": label(labels),
        "score": score,
        "parts": (Part(title, "validation"),),
        "submissions": (Submission(f"{title}.tsv", "test", predictions(answer)),),
        "labels": labels,
    }
    return SuiteTask(name=name, **(common | changes))


_COLA: Columns = {"label": 1, "sentence": 3}
_MRPC: Columns = {"sentence1": "#1 String", "sentence2": "#2 String", "label": "Quality"}
_QQP: Columns = {"question1": "question1", "question2": "question2", "label": "is_duplicate"}
_MNLI: Columns = {"premise": "sentence1", "hypothesis": "sentence2", "label": "gold_label"}
_PAIR: Columns = {"sentence1": "sentence1", "sentence2": "sentence2", "label": "label"}


def _number(raw: Raw) -> float | None:
    value = raw.get("label")
    return None if value in (None, "") or float(value) < 0 else float(value)


TASKS = (
    _task(
        "cola",
        "CoLA",
        ("sentence", ""),
        {},
        ("unacceptable", "acceptable"),
        by_matthews,
        number_of(("unacceptable", "acceptable")),
        files={
            "train": (File("train.tsv", tsv(_COLA, header=False)),),
            "validation": (File("dev.tsv", tsv(_COLA, header=False)),),
            "test": (File("test.tsv", tsv({"sentence": "sentence"})),),
        },
    ),
    _task(
        "sst2",
        "SST-2",
        ("sentence", ""),
        {"sentence": "sentence", "label": "label"},
        ("negative", "positive"),
        by_accuracy,
        number_of(("negative", "positive")),
    ),
    _task(
        "mrpc",
        "MRPC",
        ("sentence1", "sentence2"),
        _MRPC,
        ("not_equivalent", "equivalent"),
        by_f1_and_accuracy("equivalent"),
        number_of(("not_equivalent", "equivalent")),
        files={
            "train": (File("train.tsv", tsv(_MRPC)), File("msr_paraphrase_train.txt", tsv(_MRPC))),
            "validation": (File("dev.tsv", tsv(_MRPC)),),
            "test": (File("test.tsv", tsv(_MRPC)), File("msr_paraphrase_test.txt", tsv(_MRPC))),
        },
    ),
    _task(
        "stsb",
        "STS-B",
        ("sentence1", "sentence2"),
        {"sentence1": "sentence1", "sentence2": "sentence2", "label": "score"},
        (),
        by_correlation,
        lambda answer: f"{min(max(answer, 0.0), 5.0):.3f}",
        kind={"kind": "regression", "language": "en", "max_length": 128, "pair": True},
        target=_number,
    ),
    _task(
        "qqp",
        "QQP",
        ("question1", "question2"),
        _QQP,
        ("not_duplicate", "duplicate"),
        by_f1_and_accuracy("duplicate"),
        number_of(("not_duplicate", "duplicate")),
        files={
            "train": (File("train.tsv", tsv(_QQP, broken=True)),),
            "validation": (File("dev.tsv", tsv(_QQP, broken=True)),),
            "test": (File("test.tsv", tsv(_QQP)),),
        },
    ),
    _task(
        "mnli",
        "MNLI",
        ("premise", "hypothesis"),
        {},
        NLI,
        by_accuracy,
        files=_files(
            _MNLI,
            train="train.tsv",
            validation_matched="dev_matched.tsv",
            validation_mismatched="dev_mismatched.tsv",
            test_matched="test_matched.tsv",
            test_mismatched="test_mismatched.tsv",
        ),
        parts=(Part("MNLI-m", "validation_matched"), Part("MNLI-mm", "validation_mismatched")),
        submissions=(
            Submission("MNLI-m.tsv", "test_matched", predictions(str)),
            Submission("MNLI-mm.tsv", "test_mismatched", predictions(str)),
        ),
    ),
    _task(
        "qnli",
        "QNLI",
        ("question", "sentence"),
        {"question": "question", "sentence": "sentence", "label": "label"},
        TWO_WAY,
        by_accuracy,
    ),
    _task("rte", "RTE", ("sentence1", "sentence2"), _PAIR, TWO_WAY, by_accuracy),
    _task(
        "wnli",
        "WNLI",
        ("sentence1", "sentence2"),
        _PAIR,
        ("not_entailment", "entailment"),
        by_accuracy,
        number_of(("not_entailment", "entailment")),
    ),
    _task(
        "ax",
        "AX",
        ("premise", "hypothesis"),
        {},
        NLI,
        by_matthews,
        files=_files({"premise": "sentence1", "hypothesis": "sentence2"}, test="diagnostic.tsv"),
        folders=("diagnostic", "AX", "ax"),
        parts=(),
        trained_as="mnli",
    ),
)
GLUE = Suite("glue", "GLUE", "https://gluebenchmark.com/tasks", TASKS, archive="glue.zip", averaged=True)
