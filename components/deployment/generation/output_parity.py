"""Is a rung the model? Logits along real texts against PyTorch's, greedy answers token by token, perplexity."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

from components.errors import DataError
from components.runtime.generation.generator import Generator, Row
from components.runtime.generation.sampling import Sampling

if TYPE_CHECKING:
    from components.deployment.config import GateConfig

TOKENS = 64
"""Of a row, where not the whole length is asked for."""

ANSWER = 32
"""Tokens of a greedy answer."""

HELD_OUT = 32
"""Rows that the perplexity is taken on."""

GREEDY = Sampling(max_tokens=1, temperature=0.0, top_p=1.0, seed=None, stop=())


@dataclass(frozen=True)
class TeacherForced:
    """A text that the model reads whatever it would have said itself: `prompt` (an encoder-decoder: `source`), then
    `continuation`."""

    source: list[int]
    prompt: list[int]
    continuation: list[int]


@dataclass(frozen=True)
class OutputParity:
    """Differences of logits from PyTorch's, the share of positions with the same likeliest token, the share of equal
    tokens in greedy answers, perplexities, where the largest difference was, and the largest right after a prompt,
    before the cache is read."""

    max_difference: float
    mean_difference: float
    agreement: float
    greedy_exact: float
    perplexity: float
    reference_perplexity: float
    worst: str
    uncached_difference: float

    @property
    def perplexity_loss(self) -> float:
        """The share by which the perplexity is higher than PyTorch's."""
        return self.perplexity / self.reference_perplexity - 1

    def __str__(self) -> str:
        return (
            f"largest difference {self.max_difference:.1e}, perplexity {self.perplexity:.5g} against "
            f"{self.reference_perplexity:.5g}, greedy tokens the same {self.greedy_exact:.1%}"
        )

    def refusal(self, rung: str, limits: GateConfig) -> str | None:
        """Why the rung is not good enough, or None: fp32 must give PyTorch's greedy answers token by token."""
        if rung == "fp32":
            if self.max_difference > limits.max_difference:
                cached = self.uncached_difference <= limits.max_difference
                return (
                    f"a logit differs from PyTorch's by {self.max_difference:.2g} on {self.worst}"
                    f"{', and none before the cache is read' if cached else ''}; {limits.max_difference:g} is allowed"
                )
            return None if self.greedy_exact == 1 else f"only {self.greedy_exact:.1%} of greedy tokens are PyTorch's"
        if not self.perplexity_loss <= limits.max_loss:
            return (
                f"perplexity {self.perplexity:.4g} against {self.reference_perplexity:.4g}, "
                f"{limits.max_loss:.0%} more is allowed"
            )
        if self.agreement < limits.min_token_agreement:
            asked = f"{limits.min_token_agreement:.0%} is asked for"
            return f"the likeliest token is the same at {self.agreement:.1%}, {asked}"
        return None

    def metrics(self) -> dict[str, float | str]:
        """For the manifest; to few digits, since the last bits are noise."""
        return {
            "max_difference": float(f"{self.max_difference:.2g}"),
            "mean_difference": float(f"{self.mean_difference:.2g}"),
            "agreement": round(self.agreement, 4),
            "greedy_exact": round(self.greedy_exact, 4),
            "perplexity": float(f"{self.perplexity:.5g}"),
            "reference_perplexity": float(f"{self.reference_perplexity:.5g}"),
            "worst": self.worst,
        }


class Reference:
    """What PyTorch says, each row alone and without padding; computed once for all rungs. Raises DataError where no
    text has two tokens. `targets`: what an encoder-decoder should write for each text, where that is known."""

    def __init__(self, model: Any, generator: Generator, texts: Sequence[str], targets: Sequence[str] = ()) -> None:
        self.model, self.start_id = model, generator.start_id
        rows = [row[: generator.max_length] for text in texts if len(row := generator.encode(text)) >= 2]
        if not rows:
            raise DataError("no text of two tokens and more to prove the graphs on", "--rows FILE names one")
        self.cases = cases(rows, generator)
        self.prompts = prompts(rows, generator)
        if targets:
            self.cases["held-out rows"] = source_pairs(texts, targets, generator)[:HELD_OUT]
            self.prompts = [row.source for row in self.cases["held-out rows"][:8]]
        self.logits = {name: [self._logits(row) for row in case] for name, case in self.cases.items()}
        self.answers = [self._greedy(ids, room(generator, ids)) for ids in self.prompts]

    def _logits(self, row: TeacherForced) -> np.ndarray:
        """After the prompt and after each token of the continuation, (1 + those, vocabulary)."""
        import torch

        with torch.inference_mode():
            if self.start_id is None:
                ids = torch.tensor([row.prompt + row.continuation])
                kept = len(row.continuation) + 1
                return self.model(input_ids=ids, logits_to_keep=kept).logits[0, -kept:].numpy()
            ids, read = torch.tensor([row.source]), torch.tensor([row.prompt + row.continuation])
            return self.model(input_ids=ids, decoder_input_ids=read).logits[0].numpy()

    def _greedy(self, ids: list[int], count: int) -> list[int]:
        """As transformers' own `generate` answers by the model's generation config, its end token with it."""
        import torch

        given = torch.tensor([ids])
        settings = {"max_new_tokens": count, "do_sample": False, "num_beams": 1}
        with torch.inference_mode():
            answer = self.model.generate(given, attention_mask=torch.ones_like(given), **settings)[0].tolist()
        return [int(token) for token in answer[len(ids) if self.start_id is None else 1 :]]


def output_parity(reference: Reference, generator: Generator) -> OutputParity:
    """Compare a rung with PyTorch."""
    differences: dict[str, list[np.ndarray]] = {}
    same = []
    for name, case in reference.cases.items():
        for expected, found in zip(reference.logits[name], teacher_forced_logits(generator, case), strict=True):
            away = np.nan_to_num(np.abs(expected - found), nan=np.inf, posinf=np.inf)
            differences.setdefault(name, []).append(away)
            same.append(expected.argmax(axis=1) == found.argmax(axis=1))
    largest = {name: max(float(away.max()) for away in found) for name, found in differences.items()}
    worst = max(largest, key=lambda name: largest[name])
    every = [away.ravel() for found in differences.values() for away in found]
    answers = greedy(generator, reference.prompts)
    pairs = [pair for one, other in zip(reference.answers, answers, strict=True) for pair in zip_longest(one, other)]
    rows = reference.cases["held-out rows"]
    return OutputParity(
        max_difference=largest[worst],
        mean_difference=float(sum(away.sum() for away in every) / sum(away.size for away in every)),
        agreement=float(np.concatenate(same).mean()),
        greedy_exact=sum(one == other for one, other in pairs) / len(pairs),
        perplexity=perplexity(rows, teacher_forced_logits(generator, rows)),
        reference_perplexity=perplexity(rows, reference.logits["held-out rows"]),
        worst=worst,
        uncached_difference=max(float(away[0].max()) for found in differences.values() for away in found),
    )


def cases(rows: Sequence[list[int]], generator: Generator) -> dict[str, list[TeacherForced]]:
    """Real rows in batches of 1, 3 and 8: read at once, padded, and token by token from an empty cache."""
    made = forced_decoder if generator.start_id is None else forced_pair(generator.start_id)
    short = sorted((row[:TOKENS] for row in rows), key=lambda row: (len(row), row))
    spread = [short[round(place)] for place in np.linspace(0, len(short) - 1, min(len(short), HELD_OUT))]
    mixed = [spread[0], spread[len(spread) // 2], spread[-1]]
    everything = [token for row in rows for token in row]
    full = (everything * (generator.max_length // len(everything) + 1))[: generator.max_length]
    return {
        "one row, token by token": [made(spread[-1], 1)],
        "three rows of mixed length, half of each read at once": [made(row, len(row) // 2) for row in mixed],
        "eight rows of mixed length, read at once": [
            made(row, len(row) - 1) for row in spread[:: max(1, len(spread) // 8)][:8]
        ],
        "one row of the full length": [made(full, len(full) - 1)],
        "held-out rows": [made(row, 1) for row in spread],
    }


def forced_decoder(row: list[int], read: int) -> TeacherForced:
    """`read` tokens at once (at least one), the rest one by one."""
    return TeacherForced([], row[: max(1, read)], row[max(1, read) :])


def forced_pair(start_id: int) -> Callable[[list[int], int], TeacherForced]:
    """For an encoder-decoder there is no such thing as half a source: the second half follows the first."""

    def made(row: list[int], read: int) -> TeacherForced:
        half = max(1, len(row) // 2 if read < len(row) - 1 else read)
        return TeacherForced(row[:half], [start_id], row[half:][:TOKENS])

    return made


def source_pairs(texts: Sequence[str], targets: Sequence[str], generator: Generator) -> list[TeacherForced]:
    """Texts as sources, each with its own target to be written, the end token behind it."""
    assert generator.start_id is not None
    end = min(generator.stop_ids)
    found = []
    for text, target in zip(texts, targets, strict=True):
        source = generator.encode(text)[: generator.max_length]
        written = generator.tokenizer.encode(target, add_special_tokens=False).ids
        found.append(TeacherForced(source, [generator.start_id], [*written, end][: generator.max_length - 1]))
    return found


def prompts(rows: Sequence[list[int]], generator: Generator) -> list[list[int]]:
    """The beginnings of eight rows, of different lengths, with room for an answer."""
    room = max(1, min(generator.max_length - ANSWER, ANSWER))
    return [row[: min(room, 1 + 2 * number)] for number, row in enumerate(rows[:8])]


def teacher_forced_logits(generator: Generator, case: Sequence[TeacherForced]) -> list[np.ndarray]:
    """The rung's logits along each row, the rows side by side, at most eight."""
    found: list[list[np.ndarray]] = [[] for _ in case]
    for first in range(0, len(case), 8):
        numbers = range(first, min(first + 8, len(case)))
        rows = {number: _row(generator, case[number]) for number in numbers}
        while rows:
            for number, logits in zip(list(rows), generator.advance(list(rows.values())), strict=True):
                found[number].append(logits)
                done = len(rows[number].tokens)
                if done == len(case[number].continuation):
                    del rows[number]
                else:
                    rows[number].tokens.append(case[number].continuation[done])
    return [np.stack(logits) for logits in found]


def greedy(generator: Generator, prompts: Sequence[list[int]]) -> list[list[int]]:
    """The rung's greedy answers, their end tokens with them, of all prompts side by side."""
    rows = [generator.start(ids, replace(GREEDY, max_tokens=room(generator, ids))) for ids in prompts]
    answers: list[list[int]] = [[] for _ in rows]
    while going := [number for number, row in enumerate(rows) if row.finished is None]:
        for number, token in zip(going, generator.step([rows[number] for number in going]), strict=True):
            answers[number].append(token)
    return answers


def room(generator: Generator, ids: Sequence[int]) -> int:
    """Tokens of an answer to a prompt."""
    return min(ANSWER, generator.max_length - (len(ids) if generator.start_id is None else 1))


def perplexity(rows: Sequence[TeacherForced], logits: Sequence[np.ndarray]) -> float:
    """exp of the mean negative log-likelihood of the continuations."""
    losses = []
    for row, found in zip(rows, logits, strict=True):
        scores = found[: len(row.continuation)].astype(np.float64)
        top = scores.max(axis=1)
        total = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
        losses += list(total - scores[np.arange(len(row.continuation)), row.continuation])
    return math.exp(min(float(np.mean(losses)), 700.0))


def _row(generator: Generator, row: TeacherForced) -> Row:
    return generator.start(row.source or row.prompt, GREEDY)
