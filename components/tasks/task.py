"""A task as every stage sees it: its columns, its head, its loss, its answers and its metrics (docs/decisions/0044).

Needs numpy alone. A kind imports torch inside `loss`, so that curating and serving do without it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

import numpy as np

from components.tasks.metrics import Metric, score

if TYPE_CHECKING:
    from tokenizers import Tokenizer as RustTokenizer
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast as Tokenizer

Row = Mapping[str, Any]
"""A JSON line of artifacts/tasks/NAME: `id`, and the columns of the kind."""

Text = str | tuple[str, ...]
"""What a model reads of a row: its one text, or its texts in the order of their columns."""
PAIR = "text_pair"
"""The second text's column, of a kind that takes pairs."""


class Column(StrEnum):
    """What the values of a column are."""

    TEXT = "text"
    TARGET = "target"
    LABEL = "label"
    LABELS = "labels"
    NUMBER = "number"
    TOKENS = "tokens"
    TAGS = "tags"
    ANSWERS = "answers"
    CHOICES = "choices"
    CHOICE = "choice"
    ANSWER = "answer"
    NEGATIVES = "negatives"


NO_TARGET = -100
"""A target that counts for nothing: of a token that no answer is asked of. PyTorch's losses pass over it."""


@dataclass(frozen=True)
class Output:
    """What a head answers with, [rows, labels], or [rows, length, labels] where it says something of each token; where
    it scores each choice of a row, [pairs of text and choice, 1], and [rows, choices] once they are gathered; where it
    embeds, a vector of length 1 a text, [texts, width], and [rows, passages] cosines once they are compared. With
    `over_tokens` each label is a choice among the tokens, and a row is read in as many windows as its text needs:
    [windows, length, labels].

    The kind decides how a student learns from its teacher: by KL divergence, by the cross-entropy of each label, or by
    MSE. Of categorical outputs the likeliest label is the answer, which servers without this code (Triton's) find by
    themselves; of embedded texts the nearest passages are.
    """

    name: str
    kind: Literal["categorical", "binary", "real"]
    per_token: bool = False
    per_choice: bool = False
    embeds: bool = False
    over_tokens: bool = False

    @property
    def of_candidates(self) -> bool:
        """Whether the answer is one of the row's own candidates, or of an index, and not of some labels."""
        return self.per_choice or self.embeds


@dataclass(frozen=True)
class Example:
    """What a model reads at once: token ids and the like by their names in the graph, and the row they come from.

    `places`: of each word of the row the token that it begins in, where words are what is answered about; of a window
    what `Window` has.
    """

    features: dict[str, list[int]]
    row: int
    places: Any = ()


class Window(NamedTuple):
    """What a model reads at once of a row that may be too long for it: token ids, which of the two texts each is of,
    and `places`, what the kind wants to know of them once they are answered about."""

    ids: list[int]
    types: list[int]
    places: np.ndarray


@dataclass(frozen=True)
class Task(ABC):
    """A kind of task, fitted to its training rows. `labels`: what the numbers of an output are called, in order.

    `target`: the column with what a row should be answered with. `reduced_by`: what `reduced` is told of an example,
    the places of its words or the targets of its tokens. `pair`: a row has a second text, `text_pair`.
    """

    labels: tuple[str, ...]
    pair: bool = field(default=False, kw_only=True)

    kind: ClassVar[str]
    columns: ClassVar[Mapping[str, Column]]
    target: ClassVar[str] = "label"
    spans: ClassVar[tuple[str, ...]] = ()
    """Columns of a file with [begin, end] in its text, which rows have markers around instead."""
    marks: ClassVar[tuple[str, ...]] = ()
    """Tokens of a text that a model has to read: in a row that is cut before one of them nothing can be learned."""
    fits_every_split: ClassVar[bool] = False
    """Whether the held-out rows' targets are among those that are answered with, and so part of what is fitted."""
    head: ClassVar[str]
    output: ClassVar[Output]
    reduced_by: ClassVar[Literal["places", "targets"]] = "places"

    @classmethod
    @abstractmethod
    def fit(cls, targets: Sequence[Any]) -> Self:
        """The task whose training rows have these targets. Raises ValueError where none can be learned."""

    @classmethod
    @abstractmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        """The task that `manifest` described."""

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """The first decides: early stopping, quantization, gate and release go by it."""

    @property
    @abstractmethod
    def expected(self) -> str:
        """What a row may have as its target, for a message."""

    @abstractmethod
    def check(self, target: object) -> None:
        """Raise ValueError, saying why, where a row cannot have this target."""

    def check_row(self, row: Row) -> None:
        """Raise ValueError, saying why, where a row's target cannot be the one of its text."""
        self.check(row[self.target])

    @abstractmethod
    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        """What the rows' answers should be, as `decode` gives them: [rows], or [rows, words]. No tokenizer is asked."""

    def learned(self, rows: Sequence[Row], examples: Sequence[Example]) -> Sequence[Any] | np.ndarray:
        """What the loss compares the examples' outputs with: a number each, or one for each token (NO_TARGET: none)."""
        return self.targets(rows)

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """The sum over targets of what a model's outputs are wrong by."""

    def words(self, text: str) -> list[tuple[int, int]]:
        """The characters of each word, from one up to before another, where words are what is answered about."""
        return []

    def places(self, text: str, offsets: Sequence[tuple[int, int]]) -> Sequence[int]:
        """The token that each word of a text begins in. `offsets`: the characters of each token."""
        return ()

    def reduced(self, outputs: Sequence[np.ndarray], asked: Sequence[Any]) -> np.ndarray:
        """What answers need of each row's outputs of tokens [length, labels]: [rows, ...]; `asked`: as `reduced_by`
        names it."""
        raise NotImplementedError(f"{self.kind} has no outputs of tokens")

    def windows(self, tokenizer: RustTokenizer, text: Text, max_length: int) -> list[Window]:
        """A row in parts of at most `max_length` tokens; `tokenizer` itself cuts nothing."""
        raise NotImplementedError(f"{self.kind} has no windows")

    def answerable(self, example: Example) -> np.ndarray:
        """The tokens of a window that its answer may begin and end at: bool [tokens]."""
        raise NotImplementedError(f"{self.kind} has no windows")

    def merged(self, outputs: np.ndarray, counts: Sequence[int]) -> np.ndarray:
        """Reduced outputs of windows [windows, ...], so many of each row, as those of rows [rows, ...]."""
        return outputs

    def unanswered(self, outputs: np.ndarray) -> np.ndarray:
        """Which rows' reduced outputs say that there is no answer: bool [rows]."""
        return np.zeros(len(outputs), dtype=bool)

    def tuned(self, outputs: np.ndarray, targets: np.ndarray) -> Self:
        """The task with what a trained model's answers to validation rows decide; most kinds leave nothing to it."""
        return self

    def written(self, texts: Sequence[str]) -> np.ndarray:
        """The answers of a model that writes texts."""
        raise NotImplementedError(f"{self.kind} is not answered with texts")

    @abstractmethod
    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """The answers [rows], or [rows, words], that reduced outputs stand for."""

    @abstractmethod
    def values(self, answers: np.ndarray) -> list[Any]:
        """Answers as rows have them for targets."""

    @abstractmethod
    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Of two models' answers, which rows' are as good as the same: bool [rows]."""

    def manifest(self) -> dict[str, Any]:
        """What a manifest says of the task, so that `task_of` makes it again."""
        return {"task_kind": self.kind, "labels": list(self.labels)} | ({"pair": True} if self.pair else {})

    @property
    def passages(self) -> tuple[str, ...]:
        """Texts that answers are found among, which the model reads as well."""
        return ()

    @property
    def temperature(self) -> float:
        """What the similarities of embedded texts are divided by in training."""
        return 1.0

    @property
    def row_columns(self) -> dict[str, Column]:
        """The columns of its rows."""
        return columns_of(type(self), self.pair)

    @property
    def texts(self) -> tuple[str, ...]:
        """The columns that the model reads, in order."""
        return text_columns(self.row_columns)

    def text(self, row: Row) -> Text:
        """What the model reads of a row."""
        return row[self.texts[0]] if len(self.texts) == 1 else tuple(row[name] for name in self.texts)

    def named(self, text: Any) -> dict[str, Any]:
        """What the model reads of a row, by its columns."""
        return dict(zip(self.texts, parts(text), strict=True))

    def row(self, text: Any, target: Any) -> dict[str, Any]:
        """A row of what the model reads and what it should answer, without its id."""
        return {**self.named(text), self.target: target}

    @property
    def reads_pairs(self) -> bool:
        """Whether what the model reads at once are two texts."""
        return self.pair or self.output.per_choice or self.output.over_tokens

    def sequences(self, text: Text) -> list[Text]:
        """What the model reads of a row, one after another: all at once, but for a row with choices."""
        return [text]

    def refusal(self, text: str) -> str:
        """Why this kind cannot answer about a text; empty where it can."""
        return ""

    def plain(self, text: str) -> str:
        """A row's text as other documents may have it, without what marks places in it."""
        return text

    def classes(self, target: Any) -> list[str]:
        """What is counted of a target where shares of classes are looked at."""
        return [target] if self.columns[self.target] == Column.LABEL else []

    def stratum(self, row: Row) -> str:
        """A share of the training rows takes as much from every stratum."""
        return ""

    def encode(self, rows: Sequence[Row], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """Token ids of each row's text, or of both of its texts, special tokens among them, no longer than max_length.

        Of two texts, the longer one is cut first, and `token_type_ids` say which of the two a token is of.
        """
        if not rows:
            return []
        texts = [[row[name] for row in rows] for name in self.texts]
        found = tokenizer(*texts, truncation=True, max_length=max_length, return_token_type_ids=len(texts) > 1)
        names = ("input_ids", "token_type_ids")[: len(texts)]
        return [
            Example(dict(zip(names, features, strict=True)), row)
            for row, features in enumerate(zip(*(found[name] for name in names), strict=True))
        ]

    def agreement(self, one: np.ndarray, other: np.ndarray) -> float:
        """The share of rows that two models answer alike."""
        return float(self.same(one, other).mean())

    def pairs(self, targets: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets and answers one by one, as a confusion matrix counts them: [rows], or all words together."""
        return targets, answers

    def entities(self, answers: np.ndarray) -> Sequence[tuple[int, int, str]]:
        """Of a row's answers [words]: from one word up to before another, and the type."""
        return []

    def class_counts(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, tuple[int, int, int]]:
        """How often each class is right, a target and an answer; nothing where there are no classes."""
        if self.output.kind != "categorical":
            return {}
        actual, predicted = self.pairs(targets, answers)
        numbers = dict(enumerate(self.labels))
        right, wanted, claimed = (
            {label: int((values == number).sum()) for number, label in numbers.items()}
            for values in (actual[actual == predicted], actual, predicted)
        )
        return {label: (right[label], wanted[label], claimed[label]) for label in self.labels}

    def scores(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, float]:
        """Every metric of some answers."""
        return {metric.name: score(metric, targets, answers) for metric in self.metrics}


def parts(text: Text) -> tuple[str, ...]:
    """The texts that a model reads of a row."""
    return (text,) if isinstance(text, str) else text


def columns_of(kind: type[Task], pair: bool = False) -> dict[str, Column]:
    """The columns of a kind's rows, the second text behind the first."""
    columns = dict(kind.columns)
    if not pair:
        return columns
    return {"text": columns["text"], PAIR: Column.TEXT} | columns


def text_columns(columns: Mapping[str, Column | str]) -> tuple[str, ...]:
    """Those that a model reads, in order."""
    return tuple(name for name, column in columns.items() if column in (Column.TEXT, Column.CHOICES))


def sequences_of(task: Task, texts: Sequence[Text]) -> list[Text]:
    """What the model reads of all rows, one after another."""
    return [sequence for text in texts for sequence in task.sequences(text)]


def texts_read(task: Task, texts: Sequence[Text]) -> list[Text]:
    """The same, and the passages among which answers are found."""
    return [*sequences_of(task, texts), *task.passages]


def gathered(outputs: np.ndarray, counts: Sequence[int]) -> np.ndarray:
    """Outputs [sequences, 1] as [rows, the most sequences of a row], minus infinity where a row has no more."""
    found = np.full((len(counts), max(counts)), -np.inf, dtype=outputs.dtype)
    places = np.arange(max(counts)) < np.array(counts)[:, None]
    found[places] = outputs[:, 0]
    return found


def padded(rows: Sequence[Sequence[int]], value: int = NO_TARGET) -> np.ndarray:
    """Rows of numbers as int64 [rows, the longest]."""
    found = np.full((len(rows), max((len(row) for row in rows), default=0)), value, dtype=np.int64)
    for number, row in enumerate(rows):
        found[number, : len(row)] = row
    return found
