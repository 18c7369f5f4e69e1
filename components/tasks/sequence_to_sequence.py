"""Texts to be answered with another text, which is written token by token: what translation and summarization have in
common.

Targets and answers are arrays of characters, int64 [rows, characters] with NO_TARGET behind a text's end, so that they
are stacked, sent and compared as those of every other kind.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from components.errors import DataError
from components.tasks.language_model import LanguageModelTask
from components.tasks.metrics import Metric, mean_of
from components.tasks.task import NO_TARGET, Column, Example, Row, padded

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast as Tokenizer

_CHINESE = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CHARACTER = re.compile(f"[{_CHINESE}]")
_ROUGE_TOKEN = re.compile(f"[a-z0-9]+|[{_CHINESE}]")
_MTEVAL = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
"""Signs apart from words; periods and commas but between digits, dashes behind digits (mteval-v13a)."""
_ENTITIES = {"<skipped>": "", "-\n": "", "\n": " ", "&quot;": '"', "&amp;": "&", "&lt;": "<", "&gt;": ">"}

CHARACTERS, WORDS = 6, 4
"""The longest n-grams of chrF and of BLEU."""
BETA = 2
"""chrF counts recall as so many times as important as precision."""


def characters(texts: Sequence[str]) -> np.ndarray:
    """Texts as an array of characters."""
    return padded([[ord(one) for one in text] for text in texts])


def texts_of(found: np.ndarray) -> list[str]:
    """The texts that an array of characters stands for."""
    return ["".join(chr(one) for one in row if one >= 0) for row in found.tolist()]


@dataclass(frozen=True)
class ChrF(Metric):
    """F-score of n-grams of up to 6 characters without blanks, recall counting double (Popović 2015), as a share.

    sacreBLEU's chrF2: `nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no`, divided by 100.
    """

    name = "chrf"
    title = "chrF"
    larger_is_better = True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of each length of n-grams how many an answer has, its target has, and both have: [rows, 3 * 6]."""
        pairs = zip(texts_of(targets), texts_of(answers), strict=True)
        return np.array([self._counts("".join(one.split()), "".join(other.split())) for one, other in pairs])

    @staticmethod
    def _counts(target: str, answer: str) -> list[float]:
        found: list[float] = []
        for length in range(1, CHARACTERS + 1):
            wanted, claimed = ngrams(target, length), ngrams(answer, length)
            # Where a target has no n-gram so long, an answer's are not counted.
            found += [float(claimed.total() if wanted else 0), float(wanted.total()), float((wanted & claimed).total())]
        return found

    def value(self, sums: np.ndarray) -> np.ndarray:
        claimed, wanted, right = (sums[..., place::3] for place in range(3))
        counted = (claimed > 0) & (wanted > 0)
        precision, recall = (
            np.divide(right, total, out=np.zeros(right.shape), where=counted).sum(axis=-1)
            / np.maximum(counted.sum(axis=-1), 1)
            for total in (claimed, wanted)
        )
        both = BETA**2 * precision + recall
        found: np.ndarray = np.divide(
            (1 + BETA**2) * precision * recall, both, out=np.zeros(both.shape), where=both > 0
        )
        return found


@dataclass(frozen=True)
class Bleu(Metric):
    """Geometric mean of the precisions of n-grams of up to 4 tokens, times a penalty for brevity (Papineni 2002), as a
    share.

    sacreBLEU's BLEU: `nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`, of Chinese `tok:char`, divided by 100.
    """

    tokens: Literal["13a", "char"]
    name = "bleu"
    title = "BLEU"
    larger_is_better = True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Of each length of n-grams those that are right and those of the answer; tokens of both: [rows, 10]."""
        pairs = zip(texts_of(targets), texts_of(answers), strict=True)
        return np.array([self._counts(self.tokens_of(one), self.tokens_of(other)) for one, other in pairs])

    def tokens_of(self, text: str) -> list[str]:
        """A text cut as sacreBLEU does."""
        if self.tokens == "char":
            return [*"".join(text.split())]
        for old, new in _ENTITIES.items():
            text = text.replace(old, new)
        text = f" {text.rstrip()} "
        for pattern, apart in _MTEVAL:
            text = pattern.sub(apart, text)
        return text.split()

    @staticmethod
    def _counts(target: list[str], answer: list[str]) -> list[float]:
        right: list[float] = []
        claimed: list[float] = []
        for length in range(1, WORDS + 1):
            wanted, found = ngrams(target, length), ngrams(answer, length)
            right.append(float((wanted & found).total()))
            claimed.append(float(found.total()))
        return [*right, *claimed, float(len(answer)), float(len(target))]

    def value(self, sums: np.ndarray) -> np.ndarray:
        right, claimed = sums[..., :WORDS], sums[..., WORDS : 2 * WORDS]
        length, wanted = sums[..., -2], sums[..., -1]
        # Of the lengths without a right n-gram the first counts for a half, the next for a quarter (Lin and Och 2004).
        smoothed = np.where(right == 0, 0.5 ** (right == 0).cumsum(axis=-1), right)
        some = (right.sum(axis=-1) > 0) & (claimed > 0).all(axis=-1)
        precisions = np.log(np.divide(smoothed, claimed, out=np.ones(right.shape), where=claimed > 0)).mean(axis=-1)
        brevity = np.minimum(0.0, 1 - wanted / np.maximum(length, 1))
        return np.where(some, np.exp(precisions + brevity), 0.0)


@dataclass(frozen=True)
class RougeL(Metric):
    """The mean F1 of the longest common subsequence of tokens (Lin 2004): words in lower case, Chinese characters."""

    name = "rouge_l"
    title = "ROUGE-L"
    larger_is_better = True

    def statistics(self, targets: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """The F1 of each row, and 1: [rows, 2]."""
        pairs = zip(texts_of(targets), texts_of(answers), strict=True)
        return np.array([(self._f1(*(_ROUGE_TOKEN.findall(text.lower()) for text in pair)), 1.0) for pair in pairs])

    @staticmethod
    def _f1(target: list[str], answer: list[str]) -> float:
        return 2 * longest_common(target, answer) / max(len(target) + len(answer), 1)

    def value(self, sums: np.ndarray) -> np.ndarray:
        return mean_of(sums)


def ngrams(items: Sequence[str], length: int) -> Counter[Any]:
    """How often each run of so many items stands in a sequence."""
    return Counter(
        items[place : place + length] if isinstance(items, str) else tuple(items[place : place + length])
        for place in range(len(items) - length + 1)
    )


def longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    """Items of the longest common subsequence."""
    best = [0] * (len(other) + 1)
    for item in one:
        before = 0
        for place, candidate in enumerate(other, 1):
            before, best[place] = best[place], before + 1 if item == candidate else max(best[place], best[place - 1])
    return best[-1]


@dataclass(frozen=True)
class SequenceToSequence(LanguageModelTask):
    """Cross-entropy of the target's tokens (Sutskever 2014)."""

    columns: ClassVar = {"text": Column.TEXT, "target": Column.TARGET}
    target = "target"
    head = "seq2seq_lm"

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        return characters([row["target"] for row in rows])

    def encode(self, rows: Sequence[Row], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """Tokens of each text, cut, special tokens among them; `labels`: of its target, the end token behind.

        Raises DataError for a target that is longer: what it lacks nobody could learn to write.
        """
        read = super().encode(rows, tokenizer, max_length)
        end = int(tokenizer.sep_token_id)
        written = tokenizer([row["target"] for row in rows], add_special_tokens=False)["input_ids"]
        for row, ids in zip(rows, written, strict=True):
            if len(ids) >= max_length:
                raise DataError(
                    f"{row['id']}: its target has {len(ids)} tokens, and max_length is {max_length}, the end included",
                    "raise the task's max_length, shorten the target or take the row out",
                )
        return [
            Example(example.features | {"labels": [*ids, end]}, example.row)
            for example, ids in zip(read, written, strict=True)
        ]

    def learned(self, rows: Sequence[Row], examples: Sequence[Example]) -> list[np.ndarray]:
        return [np.array(example.features["labels"], dtype=np.int64) for example in examples]

    def answered(self, row: Row, text: str) -> Row | None:
        return {**row, self.target: text} if text.strip() else None

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        from torch.nn.functional import cross_entropy

        logits, wanted = outputs.float().flatten(0, 1), targets.flatten()
        return cross_entropy(logits, wanted, ignore_index=NO_TARGET, label_smoothing=label_smoothing, reduction="sum")

    def values(self, answers: np.ndarray) -> list[Any]:
        return texts_of(answers)

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.array([mine == its for mine, its in zip(texts_of(one), texts_of(other), strict=True)], dtype=bool)

    def written(self, texts: Sequence[str]) -> np.ndarray:
        return characters(texts)


def is_chinese(texts: Sequence[str]) -> bool:
    """Whether most of the texts have a Chinese character."""
    return sum(bool(_CHARACTER.search(text)) for text in texts) > len(texts) / 2
