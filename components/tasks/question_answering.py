"""Questions about contexts, answered with a span of the context, or with nothing: SQuAD (Rajpurkar 2016, 2018).

A model reads the question with the context, in overlapping windows where these are too long together (Devlin 2019), and
scores each token as the beginning and as the end of the answer. The best span of all windows is the answer. A window
without the answer is to point at its last token that is not of the context, which reads all of it in decoders too.

Targets and answers are arrays of characters, as those of texts that are written: nothing for a question without an
answer, and between several right answers a sign that no text has.
"""

from __future__ import annotations

import re
import string
from abc import abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np

from components.tasks.metrics import Metric, mean_of
from components.tasks.sequence_to_sequence import characters, texts_of
from components.tasks.task import NO_TARGET, Column, Example, Output, Row, Task, Text, Window

if TYPE_CHECKING:
    from tokenizers import Encoding
    from tokenizers import Tokenizer as RustTokenizer
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast as Tokenizer

LABELS = ("start", "end")
SEPARATOR = "\0"
"""Between the right answers of a question."""
OUTSIDE = -1
"""The character of a token that is not of the context."""
HEADER = 3
"""Numbers in front of a window's places: its tokens, the token for no answer, the first character of its part."""
FIELDS = 6
"""Numbers in front of the characters of a reduced output, as `Found` names them."""

_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_CHINESE = re.compile("[\u4e00-\u9fa5]")
_CHINESE_SIGNS = str.maketrans("", "", "-:_*^/\\~`+=，。：？！“”；’《》……·、「」（）－～『』")
_CHINESE_TOKEN = re.compile("[\u4e00-\u9fa5]|[^\\W\u4e00-\u9fa5]+|[^\\w\\s]")


class Found(NamedTuple):
    """The best span of a window or of a row: its characters in the context, from `start` up to before `end`, its score
    and the score for no answer, both sums of two logits, and the probability of each."""

    start: float
    end: float
    score: float
    none: float
    probability: float
    none_probability: float


NOTHING_FOUND = Found(OUTSIDE, OUTSIDE, -np.inf, np.inf, 0.0, 0.0)


def normalised(text: str) -> str:
    """As SQuAD's evaluation compares answers: in lower case, without punctuation, articles and further blanks."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact(target: str, answer: str) -> float:
    """Whether two answers are the same; of Chinese ones whether they are without signs, as CMRC 2018 does."""
    if _CHINESE.search(target):
        one, other = (text.lower().strip().translate(_CHINESE_SIGNS) for text in (target, answer))
        return float(one == other)
    return float(normalised(target) == normalised(answer))


def overlap(target: str, answer: str) -> float:
    """F1 of the words that two answers share; of Chinese ones of their longest common run of characters (CMRC 2018)."""
    if _CHINESE.search(target):
        wanted, claimed = (_CHINESE_TOKEN.findall(text.lower().translate(_CHINESE_SIGNS)) for text in (target, answer))
        shared = longest_run(wanted, claimed)
    else:
        wanted, claimed = normalised(target).split(), normalised(answer).split()
        if not wanted or not claimed:
            return float(wanted == claimed)
        shared = (Counter(wanted) & Counter(claimed)).total()
    return 2 * shared / max(len(wanted) + len(claimed), 1)


def longest_run(one: Sequence[str], other: Sequence[str]) -> int:
    """Items of the longest run that two sequences share."""
    best, before = 0, [0] * (len(other) + 1)
    for item in one:
        lengths = [0] * (len(other) + 1)
        for place, candidate in enumerate(other, 1):
            if item == candidate:
                lengths[place] = before[place - 1] + 1
        best, before = max(best, *lengths), lengths
    return best


@dataclass(frozen=True)
class AnswerScore(Metric):
    """The mean over questions of how good an answer is beside the right answer that it is most like."""

    larger_is_better = True

    @staticmethod
    @abstractmethod
    def compare(target: str, answer: str) -> float:
        """How good an answer is beside one right answer, from 0 to 1."""

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of each question the score of its answer, and 1: [rows, 2]."""
        pairs = zip(texts_of(targets), texts_of(answers), strict=True)
        return np.array([(self._best(target.split(SEPARATOR), answer), 1.0) for target, answer in pairs])

    def _best(self, targets: Sequence[str], answer: str) -> float:
        # An article by itself is no answer, so that none does not count as right (SQuAD's evaluation).
        counted = [target for target in targets if normalised(target)] or [""]
        return max(self.compare(target, answer) for target in counted)

    def value(self, sums: np.ndarray) -> np.ndarray:
        return mean_of(sums)


class AnswerF1(AnswerScore):
    """SQuAD's F1."""

    name = "f1"
    title = "F1"
    compare = staticmethod(overlap)


class ExactMatch(AnswerScore):
    """SQuAD's exact match."""

    name = "exact_match"
    title = "exact match"
    compare = staticmethod(exact)


@dataclass(frozen=True)
class QuestionAnswering(Task):
    """Cross-entropy over the tokens of a window, of the beginning and of the end (Devlin 2019).

    `unanswerable`: whether training rows have questions without an answer (SQuAD 2); then there is none where its score
    is more than `null_threshold` above that of the best span. Tokens: `doc_stride` are shared by a window and the one
    before it, `max_answer_tokens` has the longest answer.
    """

    doc_stride: int = 128
    max_answer_tokens: int = 30
    unanswerable: bool = False
    null_threshold: float = 0.0

    kind = "question_answering"
    columns: ClassVar = {"question": Column.TEXT, "context": Column.TEXT, "answers": Column.ANSWERS}
    target = "answers"
    head = "spans"
    output = Output("logits", "categorical", per_token=True, over_tokens=True)

    @classmethod
    def fit(cls, targets: Sequence[Any], doc_stride: int = 128, max_answer_tokens: int = 30) -> Self:
        if not any(target["text"] for target in targets):
            raise ValueError("no train row has an answer")
        return cls(LABELS, doc_stride, max_answer_tokens, any(not target["text"] for target in targets))

    @classmethod
    def from_manifest(cls, made: Mapping[str, Any]) -> Self:
        settings = (made[name] for name in ("doc_stride", "max_answer_tokens", "unanswerable", "null_threshold"))
        return cls(LABELS, *settings)

    def manifest(self) -> dict[str, Any]:
        return super().manifest() | {
            "doc_stride": self.doc_stride,
            "max_answer_tokens": self.max_answer_tokens,
            "unanswerable": self.unanswerable,
            "null_threshold": self.null_threshold,
        }

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return AnswerF1(), ExactMatch()

    @property
    def expected(self) -> str:
        return 'answers as {"text": ["Accra"], "answer_start": [17]}, both empty where there is none'

    def check(self, target: object) -> None:
        if not isinstance(target, dict) or not {"text", "answer_start"} <= set(target):
            raise ValueError(f"answers {target!r:.60} have no text and answer_start")
        texts, starts = target["text"], target["answer_start"]
        if not all(type(one) is str and one for one in texts) or not all(type(one) is int for one in starts):
            raise ValueError(f"answers {target!r:.60} are no texts with their first characters")
        if len(texts) != len(starts):
            raise ValueError(f"{len(texts)} answers, and {len(starts)} places")

    def check_row(self, row: Row) -> None:
        super().check_row(row)
        for text, start in zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True):
            if start < 0 or not row["context"].startswith(text, start):
                raise ValueError(f"answer {text!r:.60} is not at character {start} of its context")

    def row(self, text: Any, target: Any) -> dict[str, Any]:
        # Validation and drift look at a label of every row: there is none to be wrong.
        return super().row(text, target) | {"label": ""}

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        return characters([SEPARATOR.join(row["answers"]["text"]) for row in rows])

    def windows(self, tokenizer: RustTokenizer, text: Text, max_length: int) -> list[Window]:
        question, context = (tokenizer.encode(part, add_special_tokens=False) for part in text)
        question.truncate(max_length // 3)
        room = max_length - len(question.ids) - tokenizer.num_special_tokens_to_add(is_pair=True)
        # Each goes on by half of the room at least: a question may leave little.
        context.truncate(room, stride=min(self.doc_stride, room // 2))
        parts = [context, *context.overflowing]
        return [self._window(tokenizer.post_process(question, part), text[1]) for part in parts]

    @staticmethod
    def _window(encoded: Encoding, context: str) -> Window:
        ours = np.array([one == 1 for one in encoded.sequence_ids], dtype=bool)
        spans = np.where(ours[:, None], np.array(encoded.offsets, dtype=np.int32), OUTSIDE)
        first, end = (int(spans[ours, 0].min()), int(spans[ours, 1].max())) if ours.any() else (0, 0)
        header = [len(ours), int(np.flatnonzero(~ours)[-1]), first]
        part = [ord(one) for one in context[first:end]]
        return Window(
            encoded.ids, encoded.type_ids, np.array([*header, *spans[:, 0], *spans[:, 1], *part], dtype=np.int32)
        )

    def encode(self, rows: Sequence[Row], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """An example a window, those of a row one after another."""
        whole = without_truncation(tokenizer.backend_tokenizer)
        found: list[Example] = []
        for number, row in enumerate(rows):
            for ids, types, places in self.windows(whole, self.text(row), max_length):
                found.append(Example({"input_ids": ids, "token_type_ids": types}, number, places))
        return found

    def learned(self, rows: Sequence[Row], examples: Sequence[Example]) -> list[np.ndarray]:
        """The tokens in which the first right answer of each window begins and ends: [2]."""
        return [self._span(rows[example.row]["answers"], Places.of(example.places)) for example in examples]

    @staticmethod
    def _span(answers: Mapping[str, Any], places: Places) -> np.ndarray:
        if answers["text"]:
            start = answers["answer_start"][0]
            end = start + len(answers["text"][0])
            tokens = np.flatnonzero((places.ends > start) & (places.begins < end) & places.ours)
            # Within a window is what neither begins before its first token nor ends behind its last.
            if len(tokens) and places.begins[tokens[0]] <= start and places.ends[tokens[-1]] >= end:
                return tokens[[0, -1]].astype(np.int64)
        return np.full(2, places.none, dtype=np.int64)

    def answerable(self, example: Example) -> np.ndarray:
        places = Places.of(example.places)
        return places.ours | (np.arange(len(places.ours)) == places.none)

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Outputs [windows, 2, length], targets [windows, 2]. Without label smoothing, which would give padding and
        questions a share."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs.float().flatten(0, 1), targets.flatten(), reduction="sum")

    def reduced(self, outputs: Sequence[np.ndarray], asked: Sequence[Any]) -> np.ndarray:
        """The best span of each window, as `Found` and its characters, NaN behind them: float32 [windows, ...]."""
        found = [self._best(np.asarray(one), Places.of(places)) for one, places in zip(outputs, asked, strict=True)]
        reduced = np.full((len(found), FIELDS + max(len(text) for _, text in found)), np.nan, dtype=np.float32)
        for number, (numbers, text) in enumerate(found):
            reduced[number, :FIELDS] = numbers
            reduced[number, FIELDS : FIELDS + len(text)] = text
        return reduced

    def _best(self, outputs: np.ndarray, places: Places) -> tuple[Found, np.ndarray]:
        nothing = NOTHING_FOUND, places.characters[:0]
        if not places.ours.any():
            return nothing
        logits = np.nan_to_num(outputs[: len(places.ours)].astype(np.float64), nan=-np.inf)
        none, first = logits[places.none], int(np.flatnonzero(places.ours)[0])
        starts, ends = logits[places.ours].T
        sums = starts[:, None] + ends
        longer = np.subtract.outer(np.arange(len(starts)), np.arange(len(starts))) <= -self.max_answer_tokens
        sums[np.tri(len(starts), k=-1, dtype=bool) | longer] = -np.inf
        start, end = (int(place) for place in np.unravel_index(sums.argmax(), sums.shape))
        if sums[start, end] == -np.inf:
            return nothing
        totals = sum(np.logaddexp.reduce([*column, own]) for column, own in zip((starts, ends), none, strict=True))
        begin, stop = int(places.begins[first + start]), int(places.ends[first + end])
        text = places.characters[begin - places.first : stop - places.first]
        blanks = len(text) - len("".join(map(chr, text)).lstrip())
        numbers = Found(
            begin + blanks,
            stop,
            sums[start, end],
            none.sum(),
            float(np.exp(sums[start, end] - totals)),
            float(np.exp(none.sum() - totals)),
        )
        return numbers, text[blanks:]

    def merged(self, outputs: np.ndarray, counts: Sequence[int]) -> np.ndarray:
        """The best span of all windows of a row; no answer is as good as where it is worst (Devlin 2019)."""
        ends = np.cumsum(counts)
        found = []
        for begin, end in zip(ends - counts, ends, strict=True):
            windows = outputs[begin:end]
            row, none = windows[windows[:, 2].argmax()].copy(), windows[windows[:, 3].argmin()]
            row[[3, 5]] = none[[3, 5]]
            found.append(row)
        return np.stack(found)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        text = outputs[:, FIELDS:]
        answers = np.where(np.isnan(text), NO_TARGET, np.nan_to_num(text)).astype(np.int64)
        answers[self.unanswered(outputs)] = NO_TARGET
        return answers

    def unanswered(self, outputs: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.isneginf(outputs[:, 2])
        if self.unanswerable:
            found = found | (outputs[:, 3] - outputs[:, 2] > self.null_threshold)
        return found

    def tuned(self, outputs: np.ndarray, targets: np.ndarray) -> Self:
        """With the threshold that gives the best F1 (SQuAD 2's `find_best_thresh`); of equal ones that nearest to 0."""
        if not self.unanswerable:
            return self
        answering = replace(self, unanswerable=False).decode(outputs)
        metric, nothing = AnswerF1(), np.full_like(answering, NO_TARGET)
        gained = metric.statistics(targets, answering)[:, 0] - metric.statistics(targets, nothing)[:, 0]
        margins = (outputs[:, 3] - outputs[:, 2]).astype(np.float64)
        order = np.argsort(margins, kind="stable")
        margins, sums = margins[order], np.concatenate([[0.0], gained[order].cumsum()])
        # Between two rows: the rounding of another rung then moves neither over the threshold.
        between = np.concatenate([margins[:1] - 1, (margins[:-1] + margins[1:]) / 2, margins[-1:] + 1])
        possible = np.isfinite(between) & np.concatenate([[True], margins[1:] > margins[:-1], [True]])
        best = np.flatnonzero(possible & (sums >= sums[possible].max(initial=-np.inf)))
        if not len(best):
            return self
        return replace(self, null_threshold=round(float(min(between[best], key=abs)), 6))

    def values(self, answers: np.ndarray) -> list[Any]:
        return texts_of(answers)

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.array([mine == its for mine, its in zip(texts_of(one), texts_of(other), strict=True)], dtype=bool)

    def written(self, texts: Sequence[str]) -> np.ndarray:
        return characters(texts)

    def pairs(self, targets: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """None: nearly every answer is another, and no table of them."""
        return np.zeros(0, np.int64), np.zeros(0, np.int64)

    def class_counts(self, targets: np.ndarray, answers: np.ndarray) -> dict[str, tuple[int, int, int]]:
        return {}


class Places(NamedTuple):
    """A window's places: the token for no answer, the first character of its part of the context, the characters that
    each token begins and ends at, OUTSIDE for those that are not of the context, and the part itself."""

    none: int
    first: int
    begins: np.ndarray
    ends: np.ndarray
    characters: np.ndarray

    @classmethod
    def of(cls, numbers: Sequence[int] | np.ndarray) -> Places:
        found = np.asarray(numbers)
        tokens, none, first = found[:HEADER].tolist()
        begins, ends, text = np.split(found[HEADER:], [tokens, 2 * tokens])
        return cls(none, first, begins, ends, text)

    @property
    def ours(self) -> np.ndarray:
        """Which tokens are of the context."""
        found: np.ndarray = self.begins != OUTSIDE
        return found


def without_truncation(tokenizer: RustTokenizer) -> RustTokenizer:
    """The same tokenizer, which neither cuts nor pads."""
    found = type(tokenizer).from_str(tokenizer.to_str())
    found.no_truncation()
    found.no_padding()
    return found
