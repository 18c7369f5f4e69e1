"""`lianzi predict`: the champion of a task, and its answers to texts, or rows of several texts, one a line."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from cli.signing import PUBLIC_KEY
from components.errors import DataError, ParameterError, first_line
from components.modeling.kinds import CARRIES_ON, WRITES
from components.params import Params, load_params
from components.tasks.kinds import KINDS
from components.tasks.task import Text, parts
from flows.settings import project_root

if TYPE_CHECKING:
    from cli.writing import Writer, Written
    from components.runtime.answers import Answer
    from components.runtime.bundle import Classifier

STANDARD_INPUT = "-"
_AT_ONCE = 1024
"""The number of lines read at once: a long file needs little memory, and texts of similar length share batches."""
_SHOWN = 60


@click.command("predict")
@click.argument("task")
@click.argument("texts", nargs=-1)
@click.option("--file", metavar="FILE", help="Answer each line of FILE; - is standard input.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on each line, with all fields of an answer.")
@click.option(
    "--public-key", envvar=PUBLIC_KEY, type=click.Path(path_type=Path), help="Refuse bundles that it did not sign."
)
def command(task: str, texts: tuple[str, ...], file: str | None, as_json: bool, public_key: Path | None) -> None:
    """Answer TEXTS with the champion of TASK; without TEXTS, each line of a file or of standard input.

    \b
    lianzi predict form "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。"
    lianzi predict form --file texts.txt --json
    cut -f2 rows.tsv | lianzi predict form
    lianzi predict TASK_OF_PAIRS --file rows.jsonl

    Where a row has several texts, TEXTS are those of one row, and a file has a column for each: JSONL, CSV or TSV;
    standard input is JSON lines.

    One line of output for each text; a blank line of a file gives a blank line, so that both can be put side by side.
    """
    check_texts_given(task, texts, file)
    source = STANDARD_INPUT if file in (None, STANDARD_INPUT) else str(Path(str(file)).absolute())
    model = champion_model(project_root(), task, public_key)
    names = model.kind.texts
    if texts:
        given = texts_of_rows(task, names, texts)
        for line in answers(model, given, as_json, with_text=len(given) > 1):
            click.echo(line)
        return
    answered = False
    with lines_of_file(source) if len(names) == 1 else rows_of_file(source, names) as rows:
        for line in answers(model, rows, as_json, with_text=True):
            click.echo(line)
            answered = True
    if not answered:
        raise ParameterError("no text given", f'lianzi predict {task} "some text", or --file FILE')


def champion_model(root: Path, task: str, public_key: Path | None = None) -> Classifier | Writer:
    """Load the champion from the registry; with a public key, only one that it signed.

    Raises ParameterError (unknown task, or one whose model carries texts on), ArtifactError (none yet, or not signed).
    """
    params = load_params(root / "params.yaml")
    check_task(params, task)
    kind = KINDS.get(params.tasks[task].kind)
    if kind is not None and kind.head == CARRIES_ON:
        raise ParameterError(f"{task} carries texts on", f'lianzi generate {task} "some text"')
    folder = champion_folder(task, public_key)
    if kind is not None and kind.head == WRITES:
        from cli.writing import load_writer

        return load_writer(folder)
    from components.runtime.bundle import load_bundle

    return load_bundle(folder)


def champion_folder(task: str, public_key: Path | None = None) -> Path:
    """The champion's bundle. Raises ArtifactError as `champion_model` does."""
    from components.registry import bundle_of_champion, no_champion
    from components.tracking.store import store_exists

    bundle = bundle_of_champion(task) if store_exists() else None
    if bundle is None:
        raise no_champion(task)
    if public_key:
        from components.runtime.signing import verify_bundle

        verify_bundle(bundle, public_key)
    return bundle


def check_task(params: Params, task: str) -> None:
    """Raises ParameterError for a task that params.yaml does not have."""
    if task not in params.tasks:
        close = difflib.get_close_matches(task, params.tasks, n=1, cutoff=0.4)
        hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(params.tasks)}"
        raise ParameterError(f"no task '{task}' in params.yaml", hint)


def check_texts_given(task: str, texts: Sequence[str], file: str | None) -> None:
    """Raises ParameterError for an empty text, a file's name as one, texts beside a file, and a file that is none."""
    if texts and file is not None:
        raise ParameterError("texts and --file: only one of the two", f"lianzi predict {task} --file {file}")
    for number, text in enumerate(texts, 1):
        if not text.strip():  # an unset variable of a script, say; blank lines of a file are answered
            raise ParameterError(f"text {number} is empty", f'lianzi predict {task} "some text", or --file FILE')
        if _is_file(text):
            raise ParameterError(
                f"{text} is a file, not a text",
                f"its lines: lianzi predict {task} --file {text}; its name as a text: on standard input",
            )
    if file is not None and file != STANDARD_INPUT and not _is_file(file):
        told = "a folder" if os.path.isdir(file) else "no such file"  # noqa: PTH112  # a name too long for a path is none
        raise ParameterError(
            f"--file {file}: {told}", "a file of UTF-8 text, one text on each line; - is standard input"
        )


def texts_of_rows(task: str, names: Sequence[str], texts: Sequence[str]) -> list[Text]:
    """Texts as rows. Raises ParameterError where they are not the texts of one row with several."""
    if len(names) == 1:
        return list(texts)
    choices = names[-1] == "choices"
    if len(texts) <= len(names) if choices else len(texts) != len(names):
        words = "TEXT CHOICE CHOICE …" if choices else " ".join(name.upper() for name in names)
        hint = f"lianzi predict {task} {words}, or --file with the columns {' and '.join(names)}"
        raise ParameterError(f"{len(texts)} given, and a row of {task} has {' and '.join(names)}", hint)
    return [tuple(texts)]


def answers(model: Classifier | Writer, texts: Iterable[Text], as_json: bool, with_text: bool) -> Iterator[str]:
    """A line of output for each row, in order; for one with a blank text an empty line, or in JSON the form's blank.

    Raises DataError with the number of a row that cannot be answered.
    """
    waiting, done = iter(texts), 0
    while chunk := list(islice(waiting, _AT_ONCE)):
        asked = [text for text in chunk if _is_full(text)]
        try:
            found = iter(model.predict(asked))
        except DataError:
            _check_each(model, chunk, done)
            raise
        done += len(chunk)
        for text in chunk:
            answer, row = next(found) if _is_full(text) else None, model.kind.named(text)
            shown = "\t".join(parts(text))
            yield _as_json(row, answer, model.form.blank) if as_json else _as_columns(shown, answer, with_text)


def _check_each(model: Classifier | Writer, texts: Sequence[Text], before: int) -> None:
    """Raise DataError for the first that cannot be answered: blank ones count too, so that a file's line is named."""
    for number, text in enumerate(texts, before + 1):
        try:
            model.predict([text] if _is_full(text) else [])
        except DataError as error:
            raise DataError(f"row {number}: {first_line(error).partition(': ')[2]}", error.hint) from None


def _is_full(text: Text) -> bool:
    return all(part.strip() for part in parts(text))


@contextmanager
def rows_of_file(file: str, names: Sequence[str]) -> Iterator[Iterator[Text]]:
    """The texts of each row of a file with these columns; of standard input, JSON lines, for `-`. Raises DataError
    naming the line."""
    from components.corpus.read import read_records, read_stream
    from components.corpus.row_form import choices_of

    if file == STANDARD_INPUT:
        records = read_stream(Path("standard input.jsonl"), sys.stdin.buffer, names)
    else:
        records = read_records(Path(file), names)
    if names[-1] == "choices":
        yield map(choices_of, records)
        return
    yield (tuple(record.text(name) for name in names) for record in records)


@contextmanager
def lines_of_file(file: str) -> Iterator[Iterator[str]]:
    """The lines of a file, or of standard input for `-`, without their ends. Raises DataError naming the line."""
    if file == STANDARD_INPUT:
        yield _lines(sys.stdin.buffer, "standard input")
        return
    try:
        with Path(file).open("rb") as stream:
            yield _lines(stream, file)
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}", "check its owner and mode") from None


def _lines(stream: BinaryIO, name: str) -> Iterator[str]:
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{name}:{number}: not UTF-8: byte 0x{line[error.start]:02x} at column {error.start + 1}",
                "convert it first, e.g. `iconv -f GB18030 -t UTF-8`",
            ) from None


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a text may be too long for a name, or hold a NUL
        return False


def _as_json(row: Mapping[str, Any], answer: Answer | Written | None, blank: Mapping[str, Any]) -> str:
    return json.dumps({**row, **(answer.json() if answer else blank)}, ensure_ascii=False)


def _as_columns(text: str, answer: Answer | Written | None, with_text: bool) -> str:
    if answer is None:
        return ""
    return str(answer) + (f"\t{text[:_SHOWN]}" if with_text else "")
