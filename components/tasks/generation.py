"""Texts to be carried on: a language model learns a task's own texts, token by token.

What a text should be answered with are its own tokens, so an answer here says of each of them how unlikely it was, and
which token was the likeliest instead. Of a prompt with its completion, and of a conversation, the answers alone are
learned and scored. Such a row is one text as well, in which PART stands before what follows a prompt or a role, and
TURN before each message: whatever hands texts on hands on where their answers are. Behind REJECTED stands the answer
that people liked less, which only preference learning reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np

from components.errors import DataError, first_line
from components.tasks.language_model import LanguageModelTask
from components.tasks.metrics import Metric, Perplexity
from components.tasks.task import NO_TARGET, Column, Example, Row

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast as Tokenizer

TURN, PART, REJECTED = "␞", "␟", "␦"
SIGNS = (TURN, PART, REJECTED)
ROLES = {"s": "system", "u": "user", "a": "assistant", "t": "tool", "d": "developer"}
"""One letter each: a name would count among the letters of a text's language."""
ASSISTANT = "assistant"

Message = Mapping[str, str]
"""Its role and its content."""
Render = Callable[[Sequence[Message], bool], str]
"""What a model reads of messages; with the beginning of an answer, where it is to answer next."""


@dataclass(frozen=True)
class Generation(LanguageModelTask):
    """Next-token cross-entropy (Radford 2018). Its answers are [rows, tokens, 2]: see `token_scores`."""

    kind = "generation"
    columns: ClassVar = {"text": Column.TEXT}
    target = "text"
    head = "causal_lm"
    reduced_by = "targets"

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (Perplexity(),)

    def targets(self, rows: Sequence[Row]) -> np.ndarray:
        """Nothing that a metric needs: the answers are about the rows' own tokens."""
        return np.zeros(len(rows))

    def encode(self, rows: Sequence[Row], tokenizer: Tokenizer, max_length: int) -> list[Example]:
        """Tokens of each text as a generator reads them; `places`: those of its answers, NO_TARGET for the others.

        Raises DataError where no row has an answer within max_length, and for one that the chat template refuses.
        """

        def ids_of(texts: list[str]) -> list[list[int]]:
            found: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
            return found

        def chat(messages: Sequence[Message], asks: bool) -> str:
            given = [*map(dict, messages)]
            try:
                return str(tokenizer.apply_chat_template(given, tokenize=False, add_generation_prompt=asks))
            except Exception as error:  # a template is a program, which refuses what it was not written for
                roles = ", then ".join(one["role"] for one in given) or "an answer to nothing"
                raise DataError(
                    f"the chat template refuses {roles:.100}: {first_line(error)}",
                    "take such conversations out, or set train_tokenizer.chat_template to null",
                ) from None

        render = chat if tokenizer.chat_template else plain_turns
        try:
            found = encoded([row["text"] for row in rows], ids_of, render, int(tokenizer.sep_token_id), max_length)
        except DataError:
            _check_turns(rows, render)
            raise
        if found and not any(any(row.learned[1:]) for row in found):
            raise DataError(f"no row has an answer among its first {max_length} tokens", "raise max_length of the task")
        places = [[place if yes else NO_TARGET for place, yes in enumerate(row.learned)] for row in found]
        return [Example({"input_ids": row.ids}, number, places[number]) for number, row in enumerate(found)]

    def learned(self, rows: Sequence[Row], examples: Sequence[Example]) -> list[np.ndarray]:
        """The next token of each where that is an answer's, and none of the last."""
        return [
            Encoded(example.features["input_ids"], [place != NO_TARGET for place in example.places]).targets
            for example in examples
        ]

    def answered(self, row: Row, text: str) -> Row | None:
        before, mark, _ = row["text"].partition(REJECTED)[0].rpartition(PART)
        # A template, or a line's beginning, has the blank before a message; a completion has its own.
        text = text.strip() if row["text"].startswith(TURN) else text.rstrip()
        if not mark or not text or any(sign in text for sign in SIGNS):
            return None
        return {**row, "text": f"{before}{PART}{text}"}

    def loss(self, outputs: Tensor, targets: Tensor, label_smoothing: float = 0.0) -> Tensor:
        """Without label smoothing, which is what perplexity is worse by."""
        from torch.nn.functional import cross_entropy

        logits, wanted = outputs.float().flatten(0, 1), targets.flatten()
        return cross_entropy(logits, wanted, ignore_index=NO_TARGET, reduction="sum")

    def reduced(self, outputs: Sequence[np.ndarray], asked: Sequence[Sequence[int]]) -> np.ndarray:
        """Answers from each row's outputs [length, vocabulary] and the targets of its tokens."""
        return padded_scores([token_scores(*pair) for pair in zip(outputs, asked, strict=True)])

    def values(self, answers: np.ndarray) -> list[Any]:
        """The perplexity of each row."""
        metric = Perplexity()
        statistics = metric.statistics(np.zeros(len(answers)), answers)
        return [round(float(value), 4) for value in metric.value(statistics)]

    def same(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        counted = ~np.isnan(one[..., 1])
        alike: np.ndarray = ((one[..., 1] == other[..., 1]) | ~counted).all(axis=1)
        return alike

    def agreement(self, one: np.ndarray, other: np.ndarray) -> float:
        """The share of tokens in whose place two models find the same one likeliest."""
        counted = ~np.isnan(one[..., 1])
        return float((one[..., 1] == other[..., 1])[counted].mean()) if counted.any() else 1.0


class Encoded(NamedTuple):
    """Token ids of a text, and which of them are its answers'."""

    ids: list[int]
    learned: list[bool]

    @property
    def targets(self) -> np.ndarray:
        """What follows each token, NO_TARGET where that is not to be learned, and after the last."""
        following = [token if yes else NO_TARGET for token, yes in zip(self.ids, self.learned, strict=True)]
        return np.array([*following[1:], NO_TARGET], dtype=np.int64)


def encoded(
    texts: Sequence[str],
    ids_of: Callable[[list[str]], list[list[int]]],
    render: Render,
    end: int,
    max_length: int,
) -> list[Encoded]:
    """Texts as a generator reads them: no special tokens in front, cut at max_length; then the end token, where there
    is room and no template has said itself that an answer is over.

    Prompts and answers are cut into tokens apart, as they are when a model is asked.
    """
    parts = [parts_of(text, render) for text in texts]
    ids = iter(ids_of([part.text for row in parts for part in row]))
    found = []
    for text, row in zip(texts, parts, strict=True):
        pieces = [(token, part.learned) for part in row for token in next(ids)]
        if not text.startswith(TURN) or render is plain_turns:
            pieces.append((end, True))
        pieces = pieces[:max_length]
        found.append(Encoded([token for token, _ in pieces], [learned for _, learned in pieces]))
    return found


def _check_turns(rows: Sequence[Row], render: Render) -> None:
    """Raise DataError naming the first row that a chat template refuses."""
    for row in rows:
        try:
            parts_of(row["text"], render)
        except DataError as error:
            raise DataError(f"{row['id']}: {first_line(error)}", error.hint) from None


class Part(NamedTuple):
    """Of a text; whether it is learned."""

    text: str
    learned: bool


def parts_of(text: str, render: Render) -> list[Part]:
    """Prompts and answers of a text in turn; a text that is neither is learned whole. Raises DataError where a template
    writes an answer otherwise than it asks for one."""
    text = text.partition(REJECTED)[0]
    if text.startswith(TURN):
        return _turns(messages_of(text), render)
    prompt, mark, answer = text.partition(PART)
    return [Part(prompt, False), Part(answer, True)] if mark else [Part(text, True)]


def _turns(messages: Sequence[Message], render: Render) -> list[Part]:
    parts, read = [], ""
    for number, message in enumerate(messages):
        if message["role"] == ASSISTANT:
            # The line's end behind an answer belongs to what follows: nobody waits for it.
            asked, answered = render(messages[:number], True), render(messages[: number + 1], False).rstrip()
            if not (asked.startswith(read) and answered.startswith(asked)):
                raise DataError(
                    "the chat template writes an answer otherwise than it asks for one, so none can be learned",
                    "set train_tokenizer.chat_template to chatml, or null",
                )
            parts += [Part(asked[len(read) :], False), Part(answered[len(asked) :], True)]
            read = answered
    return parts


def plain_turns(messages: Sequence[Message], asks: bool) -> str:
    """A line a message, for models without a chat template."""
    told = "".join(f"{message['role']}: {message['content']}\n" for message in messages)
    return f"{told}{ASSISTANT}:" if asks else told


def text_of(messages: Sequence[Message]) -> str:
    """A conversation as one text."""
    letters = {role: letter for letter, role in ROLES.items()}
    return "".join(f"{TURN}{letters[message['role']]}{PART}{message['content']}" for message in messages)


def messages_of(text: str) -> list[Message]:
    """The conversation that such a text is."""
    turns = (turn.partition(PART) for turn in text.split(TURN)[1:])
    return [{"role": ROLES[letter], "content": content} for letter, _, content in turns]


def preference_text(chosen: str, rejected: str) -> str:
    """A pair as one text: `chosen` with its prompt, or its conversation, and the other answer alone."""
    return f"{chosen}{REJECTED}{rejected}"


def rejected_text(text: str) -> str:
    """The text that a pair would be with its other answer; empty for a text that is no pair."""
    chosen, mark, rejected = text.partition(REJECTED)
    return f"{chosen.rpartition(PART)[0]}{PART}{rejected}" if mark else ""


def token_scores(logits: np.ndarray, targets: Sequence[int] | np.ndarray) -> np.ndarray:
    """Of each token that is asked for, float32 [tokens, 2]: its negative log-likelihood in nats, infinite where the
    logits are no numbers, and the likeliest token there; NaN where none is asked for."""
    wanted = np.asarray(targets)
    places = np.flatnonzero(wanted != NO_TARGET)
    found = np.full((len(wanted), 2), np.nan, dtype=np.float32)
    scores = logits[places].astype(np.float32)
    top = scores.max(axis=1, initial=-np.inf)
    total = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    losses = total - scores[np.arange(len(places)), wanted[places]]
    found[places, 0] = np.nan_to_num(losses, nan=np.inf, posinf=np.inf)
    found[places, 1] = np.nan_to_num(scores, nan=-np.inf).argmax(axis=1) if len(places) else 0
    return found


def padded_scores(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Scores of rows as one array [rows, the longest, 2], NaN behind a row's end."""
    found = np.full((len(rows), max(map(len, rows), default=0), 2), np.nan, dtype=np.float32)
    for number, row in enumerate(rows):
        found[number, : len(row)] = row
    return found
