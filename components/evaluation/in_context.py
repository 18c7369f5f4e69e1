"""Classification by a language model without training: the label whose words are the likeliest behind a prompt.

Zero-shot, or with examples of each label in the prompt (Brown 2020: in-context learning).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

import numpy as np

from components.deployment.generation.scores import generator_scores
from components.errors import DataError, ParameterError
from components.evaluation.metrics import Bootstrap
from components.tasks.generation import PART, SIGNS
from components.tasks.task import Row, Task

if TYPE_CHECKING:
    from components.runtime.generation.generator import Generator
    from components.sections import BootstrapConfig

TEXT, LABEL = "{text}", "{label}"
BETWEEN = "\n\n"
"""Examples."""
LEAST_TEXT = 8
"""Tokens of a text below which an answer would be about nothing."""


@dataclass(frozen=True)
class LabelPrompt:
    """How a text is asked about: `template`, the words that stand for each label, and examples with their labels."""

    template: str
    words: Mapping[str, str]
    shots: Sequence[Row] = ()

    def __post_init__(self) -> None:
        if self.template.count(TEXT) != 1 or self.template.count(LABEL) != 1 or not self.template.endswith(LABEL):
            raise ParameterError(
                f"template {self.template!r:.100}: a {TEXT} and, at its end, a {LABEL} are needed",
                f"for example '{TEXT}\\nTopic: {LABEL}'",
            )
        for told in (self.template, *self.words.values()):
            if not is_plain(told):
                raise ParameterError(f"{told!r:.100}: {', '.join(SIGNS)} and lone surrogates have no place in a prompt")
        if unnamed := next((label for label, word in self.words.items() if not word.strip()), None):
            raise ParameterError(f"label {unnamed!r:.60}: no word stands for it", "give one: LABEL=WORD")

    def asked(self, text: str) -> list[str]:
        """A prompt and its completion for each label, in the form of `components.tasks.generation`."""
        before = "".join(f"{self._filled(row['text'], row['label'])}{BETWEEN}" for row in self.shots)
        prompt = self.template.removesuffix(LABEL).replace(TEXT, text)
        # A blank belongs to the word behind it, as tokenizers of language models have it.
        kept = prompt.rstrip(" ")
        blank = prompt[len(kept) :]
        return [f"{before}{kept}{PART}{blank}{word}" for word in self.words.values()]

    def _filled(self, text: str, label: str) -> str:
        return f"{self.template.removesuffix(LABEL).replace(TEXT, text)}{self.words[label]}"


@dataclass(frozen=True)
class InContext:
    """A rung that classifies. `calibrated`: by how much likelier the text makes a label's words than no text does,
    which takes out what a model says anyway (Holtzman 2021). Raises ParameterError for what is no decoder."""

    generator: Generator
    prompt: LabelPrompt
    calibrated: bool = False

    def __post_init__(self) -> None:
        if self.generator.encoder is not None:
            raise ParameterError(
                f"{self.generator.name} is an encoder-decoder, which carries no prompt on",
                "take the bundle of a decoder",
            )

    def uneven_words(self) -> str:
        """Which label's words have the fewest and the most tokens; nothing where all have as many.

        The likelihood of words is the product of their tokens', so the longer ones lose whatever the text says.
        """
        # As `asked` has them: behind a blank, where the template has one.
        blank = " " if self.prompt.template.removesuffix(LABEL).endswith(" ") else ""
        encode = self.generator.tokenizer.encode
        counts = {label: len(encode(f"{blank}{word}", add_special_tokens=False).ids) for label, word in
                  self.prompt.words.items()}  # fmt: skip
        fewest, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        if counts[fewest] == counts[most]:
            return ""
        return f"the words for {fewest!r:.60} have {counts[fewest]} tokens, those for {most!r:.60} {counts[most]}"

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """The number of the likeliest label of each text."""
        found: np.ndarray = self.scores(texts).argmax(axis=1)
        return found

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """The logarithm of each label's words' probability, float64 [texts, labels]: of words of several tokens their
        sum. Raises ParameterError where the prompt leaves no room for a text, DataError for a text that no prompt can
        hold."""
        if strange := next((text for text in texts if not is_plain(text)), None):
            raise DataError(
                f"text {strange!r:.100}: {', '.join(SIGNS)} and lone surrogates have no place in a prompt",
                "take them out",
            )
        found = self._scores([self._cut(text) for text in texts])
        return found - self._scores([""]) if self.calibrated else found

    def _scores(self, texts: Sequence[str]) -> np.ndarray:
        asked = [one for text in texts for one in self.prompt.asked(text)]
        losses = generator_scores(self.generator, asked)[..., 0]
        return -np.array([_of_words(row) for row in losses]).reshape(len(texts), len(self.prompt.words))

    def _cut(self, text: str) -> str:
        """As much of a text as there is room for."""
        tokenizer = self.generator.tokenizer
        empty = (one.replace(PART, "") for one in self.prompt.asked(""))
        taken = max(len(tokenizer.encode(one, add_special_tokens=False).ids) for one in empty)
        # Two more: the end token, and that tokens may be cut otherwise where two parts meet.
        room = self.generator.max_length - taken - 2
        if room < LEAST_TEXT:
            raise ParameterError(
                f"the prompt without a text has {taken:,} tokens of {self.generator.max_length:,}: no room for a text",
                "fewer shots, or a shorter template" if self.prompt.shots else "a shorter template",
            )
        return self.first_tokens(text, room)

    def first_tokens(self, text: str, count: int) -> str:
        """The beginning of a text."""
        found = self.generator.tokenizer.encode(text, add_special_tokens=False)
        return text if len(found.ids) <= count else text[: found.offsets[count - 1][1]]


def is_plain(text: str) -> bool:
    """Whether a text is valid Unicode without the signs that part prompts from answers."""
    return not any(one in SIGNS or "\ud800" <= one <= "\udfff" for one in text)


def _of_words(losses: np.ndarray) -> float:
    """Of an answer's tokens, the last of which is the end: no label has it."""
    return float(losses[~np.isnan(losses)][:-1].astype(np.float64).sum())


def balanced_shots(rows: Sequence[Row], labels: Sequence[str], count: int, seed: int) -> list[Row]:
    """`count` rows of each label, the labels in turn, so that none stands always last; drawn by text and seed alone."""

    def turn(row: Row) -> bytes:
        return hashlib.sha256(f"{seed}:{row['text']}".encode()).digest()

    of_label = [sorted((row for row in rows if row["label"] == label), key=turn)[:count] for label in labels]
    return [row for row in chain.from_iterable(zip_longest(*of_label)) if row is not None]


def with_shots(asked: InContext, shots: Sequence[Row]) -> InContext:
    """The same with examples in its prompt, each cut to its share of the model's length."""
    length = asked.generator.max_length // (len(shots) + 2)
    cut = [{**row, "text": asked.first_tokens(row["text"], length)} for row in shots]
    return replace(asked, prompt=replace(asked.prompt, shots=cut))


def macro_f1_told(task: Task, rows: Sequence[Row], answers: np.ndarray, bootstrap: BootstrapConfig) -> str:
    """The score of answers with its interval, beside that of the most frequent label, in a line."""
    targets = task.targets(rows)
    drawn = Bootstrap(task, targets, bootstrap.bootstrap_samples, bootstrap.confidence, seed=0)
    metric = task.metrics[0]
    found = drawn.interval(metric, answers)
    frequent = np.full(len(targets), np.bincount(targets).argmax())
    return (
        f"{metric.title} {found.value:.4f} ({found.low:.4f} to {found.high:.4f}) on {len(rows):,} test rows; "
        f"the most frequent label for all: {drawn.interval(metric, frequent).value:.4f}"
    )
