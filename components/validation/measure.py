"""Measurements of each row, part by part: a shard of the corpus or a split of a task -> measured parquet.

Texts are cut to an excerpt once they are measured, so that the tables for the suites stay small.

- `characters`: length of the text
- `fingerprint`: equal for equal texts, 128 bits as hex
- `script_fits`: whether the text's script is that of its language
- `personal_data`: the kind of personal data in the text, or in the texts that a row is answered with; null without any
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from components.corpus.documents import ROWS, SCHEMA, read_shard
from components.corpus.language import HAN
from components.corpus.language_codes import CODE
from components.errors import ArtifactError, first_line
from components.validation.personal import personal_data

EXCERPT = 80
SCRIPT_SAMPLE = 500  # characters that settle what script a text is in
CORPUS_COLUMNS = tuple(SCHEMA.names)
TASK_COLUMNS = ("id", "text", "label")
ANSWERED = ("target", "answer", "negatives")
"""Columns of what rows are answered with, where that is a text and no label."""
ANSWERS = "answered with"
"""The column of a batch that has all of them, one line each; it is looked through for personal data alone."""
TASK_SCHEMA = pa.schema({name: pa.string() for name in TASK_COLUMNS})
MEASURES = pa.schema(
    {"characters": pa.int64(), "fingerprint": pa.string(), "script_fits": pa.bool_(), "personal_data": pa.string()}
)
PLACE = pa.schema({"split": pa.string(), "row": pa.int64()})
GROUP_BATCHES = 32  # of measured rows, written as one row group
PART_ROWS = 2**40  # a row's number is its part's times this, and its own within it


@dataclass(frozen=True)
class Part:
    """A file to measure, the `number`-th of its table, and the path of its measurements.

    language: of every row; empty where each row has its own. texts: the columns of a labelled row that are its text,
    one line each.
    """

    path: Path
    target: Path
    number: int
    split: str
    language: str = ""
    texts: tuple[str, ...] = ("text",)


@dataclass(frozen=True)
class MeasuredPart:
    """The path of the measured rows, and their original columns."""

    target: Path
    columns: tuple[str, ...]


def measure_shard(part: Part) -> MeasuredPart:
    """Measure a parquet shard of the corpus. Raises ArtifactError for a damaged one."""
    return _measure(part, read_shard(part.path), SCHEMA)


def measure_split(part: Part) -> MeasuredPart:
    """Measure the labelled rows of a JSONL file. Raises ArtifactError for a damaged one."""
    return _measure(part, _json_rows(part.path, part.texts), TASK_SCHEMA)


def _measure(part: Part, batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> MeasuredPart:
    columns: dict[str, None] = {}

    def measured() -> Iterator[pa.RecordBatch]:
        first = part.number * PART_ROWS
        for batch in batches:
            columns.update(dict.fromkeys(name for name in batch.schema.names if name != ANSWERS))
            yield _measured(batch, schema, part, first)
            first += len(batch)

    rows = measured()
    whole = pa.schema([*schema, *MEASURES, *PLACE])
    with pq.ParquetWriter(part.target, whole, compression="lz4") as writer:
        while group := list(islice(rows, GROUP_BATCHES)):
            writer.write_table(pa.Table.from_batches(group))
    return MeasuredPart(part.target, tuple(columns))


def _measured(batch: pa.RecordBatch, schema: pa.Schema, part: Part, first: int) -> pa.RecordBatch:
    own = {field.name: _column(batch, field) for field in schema}
    texts = own["text"]
    language = pa.repeat(part.language, len(batch)) if part.language else own["language"]
    # An unknown language has no script; source code may contain any.
    fits = pc.equal(pa.array(script_languages(texts)), pc.fill_null(language, ""))
    code = pc.is_in(language, pa.array(sorted(CODE)))
    fits = pc.or_(fits, code)
    measures = [
        pc.cast(pc.utf8_length(texts), pa.int64()),
        pa.array(map(_fingerprint, pc.cast(texts, pa.binary()).to_pylist()), pa.string()),
        pc.if_else(pc.is_valid(texts), fits, pa.scalar(None, pa.bool_())),
        pa.array(personal_data(_with_answers(batch, texts), code), pa.string()),
    ]
    place = [pa.repeat(part.split, len(batch)), pa.array(range(first, first + len(batch)), pa.int64())]
    excerpt = own | {"text": pc.utf8_slice_codeunits(texts, 0, EXCERPT)}
    return pa.record_batch([*excerpt.values(), *measures, *place], schema=pa.schema([*schema, *MEASURES, *PLACE]))


def _with_answers(batch: pa.RecordBatch, texts: pa.Array) -> pa.Array:
    if ANSWERS not in batch.schema.names:
        return texts
    return pc.binary_join_element_wise(texts, batch[ANSWERS], "\n", null_handling="skip")


def _fingerprint(text: bytes | None) -> str | None:
    return None if text is None else xxhash.xxh3_128_hexdigest(text)


def _column(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    if field.name not in batch.schema.names:
        return pa.nulls(len(batch), field.type)
    return pc.cast(batch[field.name], field.type)


def script_languages(texts: pa.Array) -> list[str]:
    """`zh` for each text most of whose first letters are Han characters, else `en`."""
    found = ["en"] * len(texts)
    # ASCII has no Han characters: only other texts are checked.
    others = pc.indices_nonzero(pc.invert(pc.fill_null(pc.string_is_ascii(texts), True))).to_pylist()
    samples = [texts[number].as_py()[:SCRIPT_SAMPLE] for number in others]
    for number, han in zip(others, _mostly_han(samples), strict=True):
        if han:
            found[number] = "zh"
    return found


def _mostly_han(samples: Sequence[str]) -> npt.NDArray[np.bool_]:
    if not samples:
        return np.zeros(0, bool)
    letters, han = _characters()
    codes = np.frombuffer("".join(samples).encode("utf-32-le"), np.uint32)
    begins = np.cumsum([0, *map(len, samples[:-1])])
    return np.add.reduceat(han[codes], begins, dtype=np.int64) * 2 > np.add.reduceat(
        letters[codes], begins, dtype=np.int64
    )


@cache
def _characters() -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """For every code point: whether it is a letter, and whether it is a Han character."""
    every = "".join(map(chr, range(0x110000)))
    han = np.zeros(len(every), bool)
    han[[found.start() for found in HAN.finditer(every)]] = True
    return np.fromiter(map(str.isalpha, every), bool, len(every)), han


def _json_rows(path: Path, texts: Sequence[str]) -> Iterator[pa.RecordBatch]:
    try:
        with path.open(encoding="utf-8") as lines:
            while rows := [_labelled(_with_one_text(json.loads(line), texts)) for line in islice(lines, ROWS)]:
                yield _batch(rows)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: missing", "run `dvc repro` or `lianzi run` to make it") from None
    except (ValueError, pa.ArrowException) as error:
        reason = first_line(error)
        raise ArtifactError(f"{path}: damaged: {reason}", "run `dvc checkout` to restore it") from None


def _with_one_text(row: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """The row with its texts as one; without one where any of them is none."""
    if len(texts) == 1 and texts[0] == "text":
        return row
    columns = [row.get(name) for name in texts]
    given = [one for column in columns for one in (column if isinstance(column, list) else [column])]
    text = "\n".join(map(str, given)) if all(isinstance(one, str) for one in given) else None
    rest = {name: one for name, one in row.items() if name not in texts}
    if type(number := rest.get("label")) is int:  # of a choice
        rest["label"] = str(number)
    return {"id": row.get("id"), "text": text} | rest


def _labelled(row: dict[str, Any]) -> dict[str, Any]:
    """A row of tokens and tags with all of its tags as its label; without one where they do not fit the tokens. Of a
    row of several labels all of them are its label; of a question without one where its context lacks an answer. Texts
    that a row is answered with stand in a column of their own."""
    if written := [row.get(name) or "" for name in ANSWERED if name in row]:
        texts = (one for column in written for one in (column if isinstance(column, list) else [column]))
        row = {name: value for name, value in row.items() if name not in ANSWERED}
        row |= {ANSWERS: "\n".join(map(str, texts))}
    if isinstance(labels := row.get("labels"), list):
        return {name: value for name, value in row.items() if name != "labels"} | {"label": "; ".join(map(str, labels))}
    if "answers" in row:
        answers, text = row["answers"], str(row.get("text"))
        given = answers.get("text") if isinstance(answers, dict) else None
        fits = isinstance(given, list) and all(isinstance(one, str) and one in text for one in given)
        return {name: value for name, value in row.items() if name != "answers"} | {"label": "" if fits else None}
    if "tags" not in row:
        return row
    tokens, tags = row.get("tokens"), row["tags"]
    fits = isinstance(tokens, list) and isinstance(tags, list) and len(tokens) == len(tags) > 0
    return {name: value for name, value in row.items() if name not in ("tokens", "tags")} | {
        "label": " ".join(map(str, tags)) if fits else None
    }


def _as_text(value: Any) -> Any:
    """A number as text; any other value stays, and is refused."""
    return repr(value) if isinstance(value, float) else value


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """The columns that a task's rows have, as text; of those that they should not have, the names alone."""
    names = dict.fromkeys(name for row in rows for name in row)
    arrays = [
        pa.array([_as_text(row.get(name)) for row in rows], pa.string())
        if name in (*TASK_COLUMNS, ANSWERS)
        else pa.nulls(len(rows))
        for name in names
    ]
    return pa.record_batch(arrays, names=list(names))
