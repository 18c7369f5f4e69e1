"""`lianzi import`: import documents from anywhere into data/corpus, which DVC versions; the pipeline reads nothing
else.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import click

from cli.import_rows import import_rows
from components.corpus.config import SourceConfig
from components.corpus.unversioned import refuse_unversioned
from components.errors import DataError, ParameterError
from components.importing.documents import Documents, columns_used
from components.importing.recognise import open_source
from components.importing.source import Source
from components.importing.store import check_name, write_about, write_documents
from components.params import load_params
from flows.settings import add_source, project_root

UNKNOWN = "unknown"
_NAMES_SHOWN = 3


@click.command("import")
@click.argument("source")
@click.option("--name", help="Name of the import: data/corpus/NAME.jsonl.zst (default: the source's name).")
@click.option("--language", help="Language of rows without one: en, zh, en,zh, mixed, … (default: guessed).")
@click.option("--licence", help="Licence of the texts, an SPDX name such as CC-BY-4.0.")
@click.option("--text-column", default="text", show_default=True, help="The column with the text.")
@click.option("--id-column", help="The column with the row's id (default: id, if it exists).")
@click.option("--split", help="Split of a Hugging Face data set (default: train).")
@click.option("--config", help="Configuration of a Hugging Face data set with several.")
@click.option("--query", help="SELECT …: the query for a database.")
@click.option("--limit", type=click.IntRange(1), help="Largest number of documents.")
@click.option("--replace", is_flag=True, help="Replace an earlier import of this name.")
@click.option("--task", help="Import a data set's three splits as the labelled rows of this task: data/tasks/TASK.")
@click.option(
    "--column", "columns", multiple=True, metavar="COLUMN=ITS_NAME", help="With --task: text=sentence, label=sentiment."
)
def command(source: str, task: str | None, columns: tuple[str, ...], **options: Any) -> None:
    """Import documents from SOURCE into data/corpus, and name them in params.yaml; or labelled rows, with --task.

    \b
    lianzi import notes/                          a folder: text, Markdown, HTML, source code, rows
    lianzi import rows.csv.gz --text-column body  JSONL, CSV, TSV, parquet or text, also .gz and .zst
    lianzi import https://example.org/a.parquet   any address fsspec knows: s3://, gs://, sftp://, …
    lianzi import OWNER/NAME --split train        a Hugging Face data set, or one saved by save_to_disk
    lianzi import saved/nli --task nli --column text=premise --column text_pair=hypothesis
    lianzi import sqlite:///a.db --query 'SELECT id, body AS text FROM posts ORDER BY id'
    """
    here = Path.cwd()
    root = project_root()
    os.chdir(here)  # SOURCE is seen from where it was typed
    given = ImportOptions(**options)
    if task is None:
        if columns:
            raise ParameterError("--column goes with --task", "--text-column names a document's column")
        import_source(root, source, given)
        return
    if given != ImportOptions(config=given.config, replace=given.replace):
        raise ParameterError("--task takes --config, --column and --replace alone", "the other options are documents'")
    for line in import_rows(root, source, task, given.config, columns, given.replace):
        click.echo(line)


@dataclass(frozen=True)
class ImportOptions:
    """The options of the command line, None for those not given."""

    name: str | None = None
    language: str | None = None
    licence: str | None = None
    text_column: str = "text"
    id_column: str | None = None
    split: str | None = None
    config: str | None = None
    query: str | None = None
    limit: int | None = None
    replace: bool = False


def import_source(root: Path, argument: str, options: ImportOptions) -> None:
    """Write data/corpus/NAME.jsonl.zst and name it in params.yaml.

    Raises LianziError, or ends with code 130 when interrupted; neither leaves anything half-written.
    """
    corpus = _corpus(root)
    load_params(root / "params.yaml")
    if options.name is not None:
        check_name(corpus, options.name, options.replace)
    columns = columns_used(options.text_column, options.id_column)
    source = open_source(argument, options.query, options.split, options.config, columns)
    name = options.name or source.name
    check_name(corpus, name, options.replace)
    documents = Documents(source, options.text_column, options.id_column, options.language, options.licence)
    try:
        with noted_interrupts() as noted:
            path = write_documents(corpus, name, counted(islice(documents, options.limit), name, noted))
    except KeyboardInterrupt:
        click.echo("interrupted; nothing was imported", err=True)
        raise click.exceptions.Exit(130) from None
    write_about(path, _about(documents, options))
    said = [field for field in ("language", "licence") if getattr(options, field) is not None]
    entry = SourceConfig(weight=1.0, language=documents.source_language(), licence=options.licence or UNKNOWN)
    changes = add_source(root / "params.yaml", name, entry, said)
    _tell(path, documents, changes)
    for field, value in load_params(root / "params.yaml").corpus[name].model_dump(exclude={"weight"}).items():
        if field not in said:
            told = value if isinstance(value, str) else ", ".join(value)
            click.echo(f"  {field}: {told}, as far as is known; --{field} says it")
    click.echo(
        "Next:\n  dvc add data     the new data gets its version\n  lianzi run       curation and all that follows"
    )


@contextmanager
def noted_interrupts() -> Iterator[list[int]]:
    """Ctrl-C raises KeyboardInterrupt, and stands in the list as well: libraries that read a source may lose what is
    raised while they call back."""
    noted: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        noted.append(number)
        raise KeyboardInterrupt

    numbers = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is signal.default_int_handler]
    for number in numbers:
        signal.signal(number, interrupt)
    try:
        yield noted
    finally:
        for number in numbers:
            signal.signal(number, signal.default_int_handler)


def counted(documents: Iterable[Any], name: str, interrupts: Sequence[int] = ()) -> Iterator[Any]:
    """The same documents, with a progress line: redrawn on a terminal, every ten seconds elsewhere.

    Raises KeyboardInterrupt as soon as `interrupts` has one.
    """
    terminal, began = sys.stderr.isatty(), time.monotonic()
    shown, count = began, 0
    for count, document in enumerate(documents, 1):
        yield document
        if interrupts:
            raise KeyboardInterrupt
        if time.monotonic() - shown >= (0.2 if terminal else 10.0):
            shown = time.monotonic()
            line = f"{name}  {count:,} documents  {count / (shown - began):,.0f} documents/s"
            click.echo(f"\r\x1b[2K{line}" if terminal else line, nl=not terminal, err=True)
    if terminal and shown > began:
        click.echo(err=True)


def _corpus(root: Path) -> Path:
    """data/corpus, created where data/ exists. Raises DataError where DVC could not version it."""
    if not (root / "data").is_dir():
        raise DataError("data/: missing", "`dvc pull data` fetches the sample data; `mkdir data` begins without")
    refuse_unversioned(root / "data")
    corpus = root / "data" / "corpus"
    try:
        corpus.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(f"{corpus}: cannot be created: {error.strerror}", "check the folder's owner and mode") from None
    return corpus


def _about(documents: Documents, options: ImportOptions) -> dict[str, Any]:
    """The provenance of the documents. No date and no host: the same source gives the same note."""
    source = documents.source
    return {
        "kind": source.kind,
        "source": source.address,
        **source.about,
        "text_column": options.text_column,
        "id_column": options.id_column,
        "limit": options.limit,
        "language": options.language,
        "licence": options.licence or UNKNOWN,
        "documents": documents.languages.total(),
        "characters": documents.characters,
        "skipped": {**documents.skipped, **{reason: len(names) for reason, names in source.passed_over.items()}},
    }


def _tell(path: Path, documents: Documents, changes: list[str]) -> None:
    count, size = documents.languages.total(), path.stat().st_size / 1e6
    click.echo(f"data/corpus/{path.name}: {count:,} documents, {documents.characters:,} characters, {size:,.1f} MB")
    for line in (*_skipped(documents.source, documents), *changes):
        click.echo(line)


def _skipped(source: Source, documents: Documents) -> Iterator[str]:
    for reason, count in sorted(documents.skipped.items()):
        yield f"  passed over, {reason}: {count:,}"
    for reason, names in sorted(source.passed_over.items()):
        more = ", …" if len(names) > _NAMES_SHOWN else ""
        yield f"  passed over, {reason}: {len(names):,} ({', '.join(names[:_NAMES_SHOWN])}{more})"
