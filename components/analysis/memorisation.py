"""Training rows that a generative model carries on word for word (Carlini et al. 2021, 2023).

A row is extractable where the greedy continuation of its first `prompt_tokens` is its next `continuation_tokens`. Test
rows are the control: what is carried on there was not memorised from them, but is easy to guess.

The answers to a row say of each of its tokens which one was the likeliest behind those before it. Where these are the
row's own all along, the greedy continuation is the row; so nothing has to be generated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.analysis.rates import Rate
from components.analysis.robustness import sampled, shortened
from components.analysis.subject import Analysis, Subject, Table
from components.modeling.kinds import CARRIES_ON
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
    """A row that is long enough. `run`: how many tokens behind the prompt are carried on as they are; `rest`: the text
    of its continuation."""

    row: int
    run: int
    rest: str


def analyze(config: MemorisationConfig, subject: Subject) -> Analysis | None:
    """Nothing but of models that carry a text on, and where no training row is long enough."""
    if subject.task.head != CARRIES_ON:
        return None
    train = carried_on(config, subject, subject.train.texts)
    if not train:
        return None
    test = carried_on(config, subject, subject.test.texts)
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


def carried_on(config: MemorisationConfig, subject: Subject, texts: Sequence[str]) -> list[Continued]:
    """Of at most `rows` of the texts that are long enough, drawn by the seed, in order: how far each is carried on."""
    from components.deployment.generation.scores import RowEncoder

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
        same = answer[place, 1] == targets
        run = len(same) if same.all() else int(same.argmin())
        found.append(Continued(number, run, encoder.tokenizer.decode(targets.tolist(), skip_special_tokens=True)))
    return found


def _sentence(
    config: MemorisationConfig, subject: Subject, rates: Mapping[str, Rate], verbatim: Sequence[Continued]
) -> str:
    told = (
        f"memorisation: of {rates['training_rows'].total:,} training rows {rates['training_rows']} are carried on word "
        f"for word, {config.continuation_tokens} tokens behind {config.prompt_tokens}"
    )
    if "test_rows" in rates:
        told += f"; of {rates['test_rows'].total:,} test rows {rates['test_rows']}"
    if verbatim:
        told += f"; {', '.join(_name(subject, one) for one in verbatim[:3])}{' …' if len(verbatim) > 3 else ''}"
    return told


def _name(subject: Subject, found: Continued) -> str:
    columns = subject.train_columns
    return str(columns[found.row]["id"]) if columns else f"row {found.row + 1}"


def _table(subject: Subject, verbatim: Sequence[Continued]) -> Table:
    rows: list[tuple[Any, ...]] = [(_name(subject, one), shortened(one.rest)) for one in verbatim[:SHOWN]]
    return Table(("training row", "carried on with"), tuple(rows))
