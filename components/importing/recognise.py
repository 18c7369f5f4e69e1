"""The kind of source that an argument names, recognised from the argument itself."""

from __future__ import annotations

from pathlib import Path

from components.errors import DataError, ParameterError
from components.importing.files import is_known, open_files
from components.importing.hub import is_saved, open_dataset
from components.importing.query import is_database, open_query
from components.importing.source import Columns, Source, without_secrets


def open_source(
    argument: str, query: str | None, split: str | None, config: str | None, columns: Columns = None
) -> Source:
    """Open a database (with its query), an address, a file or folder, or else a Hugging Face data set.

    A folder is a data set where save_to_disk wrote it, or where a split is requested. Raises ParameterError for options
    that do not fit, DataError for a source that cannot be opened.
    """
    if is_database(argument):
        if not query:
            raise ParameterError(f"{without_secrets(argument)}: a database needs a query", "--query 'SELECT …'")
        _refuse(argument, {"--split": split, "--config": config})
        return open_query(argument, query)
    _refuse(argument, {"--query": query})
    path = Path(argument).expanduser()
    as_dataset = split is not None or config is not None
    if (
        "://" in argument
        or "*" in argument
        or path.is_file()
        or (path.is_dir() and not as_dataset and not is_saved(path))
    ):
        _refuse(argument, {"--split": split, "--config": config})
        return open_files(argument if "://" in argument else str(path), columns)
    if not path.is_dir() and (is_known(path.name) or argument.startswith((".", "/", "~")) or argument.count("/") > 1):
        raise DataError(f"{argument}: no such file or folder", "OWNER/NAME would be a Hugging Face data set")
    return open_dataset(str(path) if path.is_dir() else argument, config, split, columns)


def _refuse(argument: str, options: dict[str, str | None]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        hint = "--query is for databases, --split and --config for Hugging Face data sets"
        raise ParameterError(f"{without_secrets(argument)}: {given[0]} does not fit this source", hint)
