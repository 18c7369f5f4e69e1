"""Sequence-level distillation (Kim & Rush 2016): the student learns the answers that its teacher writes.

A small model cannot follow all that people write; of a teacher's likeliest answers, by beam search, there are fewer
different ones. They are written once, before the training, and kept beside the student.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from components.artifacts import file_hash
from components.errors import DataError
from components.modeling.architectures import positions_of
from components.run import Run, progress
from components.tasks.language_model import LanguageModelTask
from components.tasks.rows import LabelShare
from components.tasks.task import NO_TARGET, Row
from components.training import ranks
from components.training.config import SequenceLevelConfig
from components.training.targets import TEACHER_OUTPUTS
from components.training.task_data import Examples, TaskData, encode

if TYPE_CHECKING:
    from components.training.config import DistillConfig

WRITTEN_AT_ONCE = 32


def answered(
    teacher: PreTrainedModel,
    data: TaskData,
    config: DistillConfig,
    rows: Path,
    share: LabelShare,
    cache: Path,
    label: str,
    run: Run,
) -> tuple[TaskData, dict[str, Path]]:
    """The task with the teacher's answers to its training rows, and the file that has them."""
    assert isinstance(config.targets, SequenceLevelConfig)
    path = written_before(cache)
    if path is None:
        given = share.read(rows, data.task)
        written, own = teacher_rows(teacher, data, given, config.targets.beams, label)
        path = write_once(cache, written)
        run.say(f"{label}: the teacher answered {len(written) - own:,} of {len(written):,} training rows")
    taught = rows_in(path)
    train = encode(data.task, taught, data.tokenizer, data.max_length)
    return replace(data, train=train), {TEACHER_OUTPUTS: path}


def written_before(cache: Path) -> Path | None:
    """The file of a training that was interrupted; None where there is none, or its bytes are not what they were."""
    for path in cache.glob(f"*-{TEACHER_OUTPUTS}"):
        if path.name == f"{file_hash(path)[:16]}-{TEACHER_OUTPUTS}":
            return path
    return None


def rows_in(path: Path) -> list[Row]:
    """The rows of a file. A teacher may write U+2028 and the like, which end no line of it."""
    with path.open(encoding="utf-8", newline="\n") as lines:
        return [json.loads(line) for line in lines]


def write_once(cache: Path, rows: Sequence[Row]) -> Path:
    """A file of rows, whole or not there, with the beginning of its hash in its name."""
    partial = cache / f".rank-{ranks.rank()}-{TEACHER_OUTPUTS}"
    cache.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    partial.write_text(lines, encoding="utf-8", newline="\n")
    return partial.rename(cache / f"{file_hash(partial)[:16]}-{TEACHER_OUTPUTS}")


def teacher_rows(
    teacher: PreTrainedModel, data: TaskData, rows: Sequence[Row], beams: int, label: str
) -> tuple[list[Row], int]:
    """Rows with the teacher's answers, and how many keep their own: those without a prompt, and those whose answer does
    not end within `max_length`, or says nothing.

    `rows`: those that `data.train` has encoded. Raises DataError where none has a prompt.
    """
    task = data.task
    assert isinstance(task, LanguageModelTask)
    prompts = prompts_of(teacher, data.train)
    asked = [number for number, ids in enumerate(prompts) if 0 < len(ids) < data.max_length]
    if not asked:
        raise DataError(
            "no training row has a prompt that its teacher could answer",
            "set distill.targets to {name: labels}: texts without a prompt have no answers",
        )
    found = list(rows)
    with progress(f"{label}, the teacher writes", len(asked), "rows", silent=not ranks.is_rank_zero()) as shown:
        for number, ids in written(teacher, data, prompts, asked, beams):
            if ids is not None:
                text = str(data.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
                found[number] = task.answered(rows[number], text) or rows[number]
            shown.advance()
    # The teacher's tokens of a text need not be those that the text is cut into.
    fits = [_fits(data, row) for row in found]
    found = [row if fit else own for row, own, fit in zip(found, rows, fits, strict=True)]
    return found, sum(one is own for one, own in zip(found, rows, strict=True))


def _fits(data: TaskData, row: Row) -> bool:
    try:
        return bool(data.task.encode([row], data.tokenizer, data.max_length))
    except DataError:
        return False


def prompts_of(teacher: PreTrainedModel, train: Examples) -> list[list[int]]:
    """What is read before each row's (last) answer: of an encoder-decoder the whole text; nothing of a text that is
    learned from its beginning."""
    if teacher.config.is_encoder_decoder:
        return [ids.tolist() for ids in train.ids]
    assert train.places is not None
    return [ids[: _answer_begins(row[: len(ids)])].tolist() for ids, row in zip(train.ids, train.places, strict=True)]


def _answer_begins(places: Tensor) -> int:
    """The place of the last answer's first token; `places`: NO_TARGET where a token is none of an answer's."""
    learned = (places != NO_TARGET).long()
    begins = (learned.diff(prepend=learned.new_zeros(1)) == 1).nonzero()
    return int(begins[-1]) if len(begins) else 0


@torch.no_grad()
def written(
    teacher: PreTrainedModel, data: TaskData, prompts: Sequence[Sequence[int]], asked: Sequence[int], beams: int
) -> Iterator[tuple[int, list[int] | None]]:
    """(row, tokens) of the teacher's answers, without the token that ends them; None for one that does not end.

    Prompts of like length are read together, in an order that depends on the rows alone.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    writer: Any = teacher
    writer.to(device)
    reads_first, ends = bool(teacher.config.is_encoder_decoder), ends_of(data)
    order = sorted(asked, key=lambda number: len(prompts[number]))
    for first in range(0, len(order), WRITTEN_AT_ONCE):
        batch = order[first : first + WRITTEN_AT_ONCE]
        ids, mask = _side_by_side([prompts[number] for number in batch], data.pad_id, at_the_right=not reads_first)
        width, shortest = ids.shape[1], len(prompts[batch[0]])
        room = data.max_length
        if not reads_first:
            room = min(data.max_length - shortest, positions_of(teacher.config) - width)
        answers = writer.generate(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            max_new_tokens=max(room, 1),
            do_sample=False,
            num_beams=beams,
            eos_token_id=sorted(ends),
            pad_token_id=data.pad_id,
        )
        for number, answer in zip(batch, answers[:, 1 if reads_first else width :].tolist(), strict=True):
            stop = next((place for place, token in enumerate(answer) if token in ends), None)
            # A shorter prompt beside it leaves more room than a row has itself.
            most = data.max_length - (0 if reads_first else len(prompts[number]))
            yield number, None if stop is None or stop >= most else answer[:stop]
    teacher.cpu()


def _side_by_side(prompts: Sequence[Sequence[int]], pad_id: int, at_the_right: bool) -> tuple[Tensor, Tensor]:
    """Ids and mask [n, length]; a decoder goes on from its last token, which all rows have at the right."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), pad_id)
    mask = torch.zeros_like(ids)
    for place, prompt in enumerate(prompts):
        where = slice(width - len(prompt), width) if at_the_right else slice(0, len(prompt))
        ids[place, where], mask[place, where] = torch.tensor(prompt), 1
    return ids, mask


def ends_of(data: TaskData) -> set[int]:
    """The tokens that answers end with: those at the end of the training rows that are not cut."""
    last = {int(ids[-1]) for ids in data.train.ids if len(ids) < data.max_length}
    return last | {int(data.tokenizer.sep_token_id)}
