"""Code that a language model writes, by tests: pass@k (Chen 2021), the chance that one of k programs passes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components.corpus.read import read_records
from components.errors import DataError, first_line
from components.evaluation.sandbox import Limits, reason_to_fail

if TYPE_CHECKING:
    from components.corpus.record import Record
    from components.runtime.generation.generator import Generator
    from components.runtime.generation.sampling import Sampling

STOPS = ("\ndef ", "\nclass ", "\nif ", "\nprint", "\n#", "\nassert ")
"""Where a function is over and a model goes on with something else (Chen 2021)."""
OWN = "canonical_solution"


@dataclass(frozen=True)
class Problem:
    """A program's beginning, and what is run after its end; `entry`: the function that HumanEval's `check` is given."""

    place: str
    prompt: str
    tests: str
    entry: str = ""

    def program(self, completion: str) -> str:
        """The whole of it."""
        check = f"\ncheck({self.entry})\n" if self.entry else ""
        return f"{self.prompt}{completion}\n{self.tests}\n{check}"


def pass_at_k(samples: int, right: int, k: int) -> float:
    """The unbiased estimate 1 - C(samples - right, k) / C(samples, k), of k at most `samples`."""
    if samples - right < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(samples - right + 1, samples + 1)))


def read_problems(path: Path, limits: Limits) -> list[Problem]:
    """Rows of `prompt` and `test`, with `entry_point` in HumanEval's form; a `canonical_solution` is tried.

    Raises DataError, naming file and line, where one is missing or that solution does not pass.
    """
    problems = []
    for record in read_records(path):
        problem = Problem(record.place, record.text("prompt"), record.text("test"), _entry(record))
        if not problem.tests.strip():
            raise DataError(f"{record.place}: 'test' is empty", "every program would pass: write what it has to do")
        solved = record.fields.get(OWN) is not None
        if solved and (reason := reason_to_fail(problem.program(record.text(OWN)), limits)):
            raise DataError(
                f"{record.place}: its own solution does not pass its tests: {reason}",
                "mend the tests, or raise --seconds or --megabytes",
            )
        problems.append(problem)
    return problems


def _entry(record: Record) -> str:
    entry = record.fields.get("entry_point") or ""
    if not isinstance(entry, str) or (entry and not entry.isidentifier()):
        raise DataError(f"{record.place}: 'entry_point' is {entry!r:.60}, not a function's name")
    return entry


def completions(generator: Generator, prompt: str, count: int, sampling: Sampling) -> list[str]:
    """`count` answers, each by a seed of its own: the sampling's and those after it."""
    ids, first = generator.encode(prompt), sampling.seed or 0
    rows = [generator.start(ids, replace(sampling, seed=first + number)) for number in range(count)]
    while going := [row for row in rows if row.finished is None]:
        generator.step(going[: generator.max_batch])
    return [row.text for row in rows]


@dataclass(frozen=True)
class Tried:
    """How many programs of each problem pass, of `samples`; `reasons`: why the others did not, the most frequent
    first."""

    samples: int
    right: list[int]
    reasons: dict[str, int]

    def pass_at(self, k: int) -> float:
        """The mean over problems."""
        return float(np.mean([pass_at_k(self.samples, right, k) for right in self.right]))


def tried(generator: Generator, problems: Sequence[Problem], samples: int, sampling: Sampling, limits: Limits) -> Tried:
    """Write and run `samples` programs a problem. Raises DataError, naming file and line, for a prompt that the model
    cannot read."""
    right, reasons = [], Counter[str]()
    for problem in problems:
        try:
            written = completions(generator, problem.prompt, samples, sampling)
        except DataError as error:
            raise DataError(f"{problem.place}: {first_line(error)}", error.hint) from None
        found = [reason_to_fail(problem.program(one), limits) for one in written]
        right.append(found.count(""))
        reasons.update(reason.partition(":")[0] for reason in found if reason)
    return Tried(samples, right, dict(reasons.most_common()))
