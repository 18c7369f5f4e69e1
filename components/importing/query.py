"""The result of a database query as a source (SQLAlchemy). Nothing is written to the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.corpus.record import Record
from components.errors import DataError, first_line
from components.importing.source import Source, source_name, without_secrets

_FETCH = 1000
_READ_ONLY = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET TRANSACTION READ ONLY"}


def is_database(address: str) -> bool:
    """Whether an address is SQLAlchemy's, by its scheme: sqlite:///a.db, postgresql+psycopg://host/db."""
    from sqlalchemy.dialects import registry

    scheme = address.partition("://")[0].partition("+")[0]
    if "://" not in address or scheme in ("file", "http", "https"):
        return False
    try:
        registry.load(scheme)
    except Exception:  # whatever the plug-in of an unknown scheme raises
        return False
    return True


def open_query(address: str, query: str) -> Source:
    """One document for each row of the result, fetched a thousand at a time. Raises DataError."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except ArgumentError:
        raise DataError(f"{without_secrets(address)}: not a database's URL", "such as sqlite:///folder/a.db") from None
    clean = without_secrets(str(url.set(username=None, password=None)))
    if url.get_backend_name() == "sqlite" and url.database and not Path(url.database).is_file():
        raise DataError(f"{clean}: no such file", "sqlite:///relative/path.db, or sqlite:////absolute/path.db")
    name = source_name(Path(url.database or "query").stem)
    return Source("query", clean, name, _records(url, query, clean), about={"query": query})


def _records(url: Any, query: str, clean: str) -> Iterator[Record]:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

    try:
        engine = create_engine(url)
        with engine.connect().execution_options(yield_per=_FETCH) as connection:
            if statement := _READ_ONLY.get(engine.dialect.name):
                connection.execute(text(statement))
            rows = connection.execute(text(query.replace(":", r"\:")))
            if not rows.returns_rows:
                raise DataError(f"{clean}: the query returns no rows", "expected a SELECT")
            for number, row in enumerate(rows.mappings(), 1):
                yield Record(Path("row"), number, dict(row))
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise DataError(f"{clean}: needs a driver: {error}", "install it beside Lianzi with pip") from None
    except SQLAlchemyError as error:
        reason = first_line(getattr(error, "orig", None) or error)
        secret = url.password
        raise DataError(
            f"{clean}: {reason.replace(secret, '…') if secret else reason}", f"the query: {query[:200]}"
        ) from None
