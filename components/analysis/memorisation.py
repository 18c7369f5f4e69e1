"""Training rows that a generative model carries on word for word (Carlini et al. 2021, 2023).

A row of a decoder is extractable where the greedy continuation of its first `prompt_tokens` is its next
`continuation_tokens`. Its answers say of each of its tokens which one was the likeliest behind those before it; where
these are the row's own all along, the greedy continuation is the row, so nothing has to be generated.

A row of an encoder-decoder is extractable where what it writes of the row's text begins with the first
`continuation_tokens` of the row's target.

Test rows are the control: what is carried on there was not memorised from them, but is easy to guess, or is what the
text asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from components.analysis.errors import CELL, cut
from components.analysis.rates import Rate
from components.analysis.robustness import sampled
from components.analysis.subject import Analysis, Subject, Table
from components.deployment.rows import Rows
from components.modeling.kinds import CARRIES_ON, GENERATES
from components.runtime.manifest import TOKENIZER, read_bundle
from components.tasks.task import NO_TARGET

if TYPE_CHECKING:
    from components.analysis.config import MemorisationConfig

CANDIDATES = 20
"""Texts that are cut into tokens for each that is wanted: not all are long enough."""
SHOWN = 50
"""Rows of the table."""


@dataclass(frozen=True)
class Continued:
    """A row that is long enough. `run`: how many tokens behind the prompt, or of the target, are written as they are;
    `rest`: their text."""

    row: int
    run: int
    rest: str


def analyze(config: MemorisationConfig, subject: Subject) -> Analysis | None:
    """Nothing but of models that write texts, and where no training row is long enough."""
    if subject.task.head not in GENERATES:
        return None
    look = carried_on if subject.task.head == CARRIES_ON else written
    train = look(config, subject, subject.train)
    if not train:
        return None
    test = look(config, subject, subject.test)
    length = config.continuation_tokens
    verbatim = [one for one in train if one.run == length]
    rates = {"training_rows": Rate.of(len(verbatim), len(train), subject.confidence)}
    if test:
        rates["test_rows"] = Rate.of(sum(one.run == length for one in test), len(test), subject.confidence)
    return Analysis(
        metrics={name: {"rows": rate.total, "extractable": rate.metrics()} for name, rate in rates.items()}
        | {"longest_run": max(one.run for one in train)},
        sentences=(_sentence(config, subject, rates, verbatim),),
        tables={"Training rows that are carried on word for word": _table(subject, verbatim)} if verbatim else {},
    )


def carried_on(config: MemorisationConfig, subject: Subject, given: Rows) -> list[Continued]:
    """Of at most `rows` of the texts that are long enough, drawn by the seed, in order: how far each is carried on."""
    from components.deployment.generation.scores import RowEncoder

    texts = given.texts
    made = read_bundle(subject.bundle)
    encoder = RowEncoder.of_bundle(subject.bundle / TOKENIZER, made)
    candidates = sampled(len(texts), CANDIDATES * config.rows, subject.seed).tolist()
    rows = dict(zip(candidates, encoder([texts[number] for number in candidates]), strict=True))
    begins: dict[int, int] = {}
    for number, row in rows.items():
        asked = row.targets != NO_TARGET
        # Of a prompt and its answer the prompt is longer than it need be: only the answer is the model's to carry on.
        begin = max(config.prompt_tokens - 1, int(asked.argmax()))
        if asked[begin : begin + config.continuation_tokens].sum() == config.continuation_tokens:
            begins[number] = begin
    able = [*begins]
    chosen = [able[place] for place in sampled(len(able), config.rows, subject.seed).tolist()]
    if not chosen:
        return []
    answers = subject.answer([texts[number] for number in chosen])
    found = []
    for number, answer in zip(chosen, answers, strict=True):
        place = slice(begins[number], begins[number] + config.continuation_tokens)
        targets = rows[number].targets[place]
        rest = encoder.tokenizer.decode(targets.tolist(), skip_special_tokens=True)
        found.append(Continued(number, _run(answer[place, 1] == targets), rest))
    return found


def written(config: MemorisationConfig, subject: Subject, given: Rows) -> list[Continued]:
    """Of at most `rows` of the rows whose target is long enough, drawn by the seed, in order: how much of it is written
    as it is."""
    tokenizer = Tokenizer.from_file(str(subject.bundle / TOKENIZER))

    def ids(texts: Sequence[str]) -> list[np.ndarray]:
        found = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [np.array(one.ids[: config.continuation_tokens]) for one in found]

    candidates = sampled(len(given.texts), CANDIDATES * config.rows, subject.seed).tolist()
    targets = dict(zip(candidates, ids(subject.task.values(given.targets[candidates])), strict=True))
    able = [number for number, target in targets.items() if len(target) == config.continuation_tokens]
    chosen = [able[place] for place in sampled(len(able), config.rows, subject.seed).tolist()]
    if not chosen:
        return []
    answers = ids(subject.task.values(subject.answer([given.texts[number] for number in chosen])))
    found = []
    for number, answer in zip(chosen, answers, strict=True):
        target = targets[number]
        same = np.zeros(len(target), dtype=bool)
        same[: len(answer)] = answer == target[: len(answer)]
        found.append(Continued(number, _run(same), tokenizer.decode(target.tolist(), skip_special_tokens=True)))
    return found


def _run(same: np.ndarray) -> int:
    """How many tokens are right before the first that is not."""
    return len(same) if same.all() else int(same.argmin())


def _sentence(
    config: MemorisationConfig, subject: Subject, rates: Mapping[str, Rate], verbatim: Sequence[Continued]
) -> str:
    what = (
        f"carried on word for word, {config.continuation_tokens} tokens behind {config.prompt_tokens}"
        if subject.task.head == CARRIES_ON
        else f"answered word for word, the first {config.continuation_tokens} tokens of the target"
    )
    told = f"memorisation: of {rates['training_rows'].total:,} training rows {rates['training_rows']} are {what}"
    if "test_rows" in rates:
        told += f"; of {rates['test_rows'].total:,} test rows {rates['test_rows']}"
    if verbatim:
        told += f"; {', '.join(_name(subject, one) for one in verbatim[:3])}{' …' if len(verbatim) > 3 else ''}"
    return told


def _name(subject: Subject, found: Continued) -> str:
    columns = subject.train_columns
    return str(columns[found.row]["id"]) if columns else f"row {found.row + 1}"


def _table(subject: Subject, verbatim: Sequence[Continued]) -> Table:
    rows: list[tuple[Any, ...]] = [(_name(subject, one), cut(one.rest, CELL)) for one in verbatim[:SHOWN]]
    return Table(("training row", "carried on with"), tuple(rows))
