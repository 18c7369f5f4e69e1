"""Which words decided: integrated gradients (Sundararajan et al. 2017) of the student, by captum.

The path leads from a text of padding to the row, in the space of the token embeddings; special tokens stay as they are.
The attributions of all tokens must add up to how much the answer's output differs between the two ends (completeness).
Where they are off by more than `tolerance` of their sizes together, the integral is taken in MORE times as many steps,
and where that does not help the row says so. The student in PyTorch is looked at, which the candidate was made from: a
quantized graph has no gradients.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from components.analysis.errors import shown
from components.analysis.subject import Analysis, Subject, Table
from components.corpus.shingles import SPACELESS
from components.runtime.encoding import IDS, Encoder
from components.runtime.manifest import read_bundle
from components.tasks.task import Text, parts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from components.analysis.config import ExplanationsConfig

RIGHT_ROWS = 4
"""One of so many rows that are shown is answered right."""
WORDS = 3
"""Of each row in the table, those that speak most for the answer."""
SPACELESS_CHARACTER = re.compile(f"[{SPACELESS}]")
MORE = 8
TOKENS_FIRST = ("xlnet",)
"""Model types that embed [tokens, rows]: captum takes the first axis for the rows."""
NO_CHANGE = 1e-6
"""Attributions that are smaller together are none."""


@dataclass(frozen=True)
class Piece:
    """A run of characters, and how much it speaks for the answer (or, below 0, against it)."""

    text: str
    score: float


@dataclass(frozen=True)
class Explanation:
    """A row of the test split. `gap`: by how much the attributions miss the difference of the outputs, as a share of
    their sizes together: the difference itself may be next to nothing."""

    row: int
    answer: np.ndarray
    pieces: tuple[Piece, ...]
    gap: float


def analyze(config: ExplanationsConfig, subject: Subject) -> Analysis | None:
    """Nothing but of kinds whose head says one thing of a whole text."""
    if subject.task.head != "sequence":
        return None
    import torch

    from components.deployment.pytorch import load_model

    torch.set_num_threads(1)
    model = load_model(subject.student)
    if model.config.model_type in TOKENS_FIRST:
        told = f"which words decided is not told of {model.config.model_type}: it embeds tokens first and rows second"
        return Analysis({"rows": 0}, (told,))
    found = [explain(config, subject, model, row) for row in chosen(subject, config.rows)]
    whole = [one for one in found if one.gap <= config.tolerance]
    return Analysis(
        metrics={
            "rows": len(found),
            "complete": round(len(whole) / len(found), 6),
            "largest_gap": round(max(one.gap for one in found), 6),
        },
        sentences=(_sentence(config, found, len(whole)),),
        tables={"Words that decided": _table(config, subject, found)},
        fragments={"What each word says for the answer": _html(config, subject, found)},
    )


def chosen(subject: Subject, most: int) -> list[int]:
    """Rows to show: the errors that the model is surest of, then the right answers that it is surest of."""
    task = subject.task
    wrong = ~task.same(subject.test.targets, subject.answers)
    sure = np.zeros(len(wrong)) if subject.probabilities is None else subject.probabilities.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    right = order[~wrong[order]].tolist()[: max(1, most // RIGHT_ROWS)]
    return [*order[wrong[order]].tolist()[: most - len(right)], *right]


def explain(config: ExplanationsConfig, subject: Subject, model: PreTrainedModel, row: int) -> Explanation:
    """The attributions of one row's tokens to the output of the student's own answer."""
    import torch
    from captum.attr import LayerIntegratedGradients

    encoder = _encoder(subject, model)
    text = subject.test.texts[row]
    feeds = {name: torch.from_numpy(value) for name, value in encoder.pad(encoder.encode([text])).items()}
    ids = feeds.pop(IDS)
    special, spans = _spans(encoder, text)
    # What frames a text frames the empty one as well, so that the words alone are what differs.
    empty = torch.where(torch.tensor([special]), ids, torch.full_like(ids, encoder.pad_id))

    def outputs(given: torch.Tensor) -> torch.Tensor:
        each = {name: value.expand(len(given), -1) for name, value in feeds.items()}
        found: torch.Tensor = model(input_ids=given, **each).logits
        return found

    with torch.no_grad():
        logits = outputs(ids)
        target = int(logits[0].argmax())
        # As the path has it: the embeddings alone are those of padding, for some models count positions by the ids.
        embeddings = model.get_input_embeddings()
        padding = embeddings(empty)
        hook = embeddings.register_forward_hook(lambda *_: padding)
        change = float(logits[0, target] - outputs(ids)[0, target])
        hook.remove()
    gradients = LayerIntegratedGradients(outputs, embeddings)
    for steps in (config.steps, MORE * config.steps):
        attributed = gradients.attribute(ids, empty, target=target, n_steps=steps, internal_batch_size=32)
        scores = attributed.sum(dim=-1)[0].detach().double().numpy()
        gap = abs(float(scores.sum()) - change) / max(float(np.abs(scores).sum()), NO_CHANGE)
        if gap <= config.tolerance:
            break
    answer = subject.task.decode(logits.numpy())[0]
    return Explanation(row, answer, _pieces(text, spans, scores), gap)


def _encoder(subject: Subject, model: PreTrainedModel) -> Encoder:
    from components.modeling.loading import takes_types

    types = subject.task.reads_pairs and takes_types(model.config)
    length = int(read_bundle(subject.bundle)["max_length"])
    return Encoder.load(subject.student / "tokenizer.json", length, int(model.config.pad_token_id or 0), types)


def _spans(encoder: Encoder, text: Text) -> tuple[list[bool], list[tuple[int, int, int]]]:
    """Of each token whether it is a special one, and which characters of which text it stands for."""
    first, *second = parts(text)
    found = encoder.tokenizer.encode(first, second[0] if second else None)
    special = [bool(one) for one in found.special_tokens_mask]
    return special, [(part or 0, *span) for part, span in zip(found.sequence_ids, found.offsets, strict=True)]


def _pieces(text: Text, spans: Sequence[tuple[int, int, int]], scores: np.ndarray) -> tuple[Piece, ...]:
    """Attributions by the characters of the text, blanks with the word behind them; of tokens that share a character,
    as bytes of one do, together."""
    given = parts(text)
    ends: list[tuple[int, int]] = []
    sums: list[float] = []
    for (part, begin, end), score in zip(spans, scores.tolist(), strict=True):
        if begin == end:
            continue  # a special token
        if ends and ends[-1][0] == part and begin < ends[-1][1]:
            ends[-1] = (part, max(end, ends[-1][1]))
            sums[-1] += score
        else:
            ends.append((part, end))
            sums.append(score)
    before = [(-1, 0), *ends]  # where the piece before ends, and so this one begins, in the same text
    starts = [last if other == part else 0 for (other, last), (part, _) in zip(before, ends, strict=False)]
    words = [given[part][start:end] for start, (part, end) in zip(starts, ends, strict=True)]
    return tuple(Piece(*one) for one in zip(words, sums, strict=True))


def _sentence(config: ExplanationsConfig, found: Sequence[Explanation], whole: int) -> str:
    if whole == len(found):
        return f"which words decided: the attributions of {whole} rows add up to the change of the answer's output"
    worst = max(one.gap for one in found)
    return (
        f"which words decided: the attributions of {len(found) - whole} of {len(found)} rows do not add up to the "
        f"change of the answer's output, one is off by {worst:.0%}: raise analyze.explanations.steps ({config.steps})"
    )


def _table(config: ExplanationsConfig, subject: Subject, found: Sequence[Explanation]) -> Table:
    return Table(
        ("row", "should be", "student's answer", "words for it", "adds up"),
        tuple(
            (
                subject.ids[one.row],
                _shown(subject, one.row, subject.test.targets[one.row]),
                _shown(subject, one.row, one.answer),
                ", ".join(piece.text.strip() for piece in _strongest(one)),
                "yes" if one.gap <= config.tolerance else f"no, off by {one.gap:.0%}",
            )
            for one in found
        ),
    )


def _shown(subject: Subject, row: int, answer: np.ndarray) -> str:
    return shown(subject.task, subject.columns[row], subject.task.values(answer[None])[0])


def _strongest(found: Explanation) -> list[Piece]:
    words = [word for word in whole_words(found.pieces) if word.score > 0 and any(map(str.isalnum, word.text))]
    return sorted(words, key=lambda word: -word.score)[:WORDS]


def whole_words(pieces: Sequence[Piece]) -> list[Piece]:
    """Parts of a word together; a piece with a character of a script without spaces stays alone."""
    found: list[Piece] = []
    for piece in pieces:
        if found and _goes_on(found[-1].text) and _goes_on(piece.text[:1]):
            found[-1] = Piece(found[-1].text + piece.text, found[-1].score + piece.score)
        else:
            found.append(piece)
    return found


def _goes_on(text: str) -> bool:
    """Whether a word may go on behind this text, or with it."""
    return text[-1:].isalnum() and not SPACELESS_CHARACTER.search(text[-1:])


def _html(config: ExplanationsConfig, subject: Subject, found: Sequence[Explanation]) -> str:
    """A paragraph a row: red speaks for the answer, blue against it, the stronger the more."""
    return "\n".join(_paragraph(config, subject, one) for one in found)


def _paragraph(config: ExplanationsConfig, subject: Subject, found: Explanation) -> str:
    task = subject.task
    head = f"{subject.ids[found.row]}: {_shown(subject, found.row, found.answer)}"
    if not task.same(found.answer[None], subject.test.targets[found.row][None])[0]:
        head += f", should be {_shown(subject, found.row, subject.test.targets[found.row])}"
    if found.gap > config.tolerance:
        head += f" (does not add up: off by {found.gap:.0%})"
    strongest = max((abs(piece.score) for piece in found.pieces), default=0.0) or 1.0
    words = "".join(_span(piece, piece.score / strongest) for piece in found.pieces)
    return f"<p><b>{escape(head)}</b><br>{words}</p>"


def _span(piece: Piece, share: float) -> str:
    colour = "214, 39, 40" if share > 0 else "31, 119, 180"
    return (
        f'<span style="background: rgba({colour}, {abs(share) * 0.6:.2f})" title="{piece.score:+.4f}">'
        f"{escape(piece.text)}</span>"
    )
