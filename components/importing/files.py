"""Files as a source: one, a folder or a pattern, local or anywhere that fsspec reaches (https://, s3://, memory://)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from components.corpus.compression import COMPRESSIONS, is_packed, unpacked
from components.corpus.pages import PAGES, read_markdown
from components.corpus.read import READERS, read_stream, split_name
from components.corpus.record import Record, reason_of
from components.errors import DataError
from components.importing.source import Columns, Source, source_name, without_secrets

_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_CLIENTS = ("azure", "botocore", "gcsfs", "google", "paramiko")
"""Libraries below fsspec whose errors are no OSErrors."""
_BUFFER = 1 << 16
_SECONDS = {"connect": 30, "read": 120}


def open_files(address: str, columns: Columns = None) -> Source:
    """Rows of a data file, or one document for each file of a folder. Raises DataError for files that cannot be reached
    or read.

    In a folder, files of other formats and files that are not text are skipped and counted.
    """
    clean = without_secrets(address)
    with _told(clean, address):
        system, path = _file_system(address)
        names = _listed(system, path)
    if names is None:
        return _one_file(system, path, clean, columns)
    if not names:
        raise DataError(f"{clean}: no files here", "files whose names begin with a dot are skipped")
    top = _top(path)
    passed_over: dict[str, list[str]] = {}
    records = _documents(system, names, top, clean, passed_over, columns)
    name = source_name(PurePosixPath(top).name)
    return Source("files", clean, name, records, parts=True, passed_over=passed_over)


def _file_system(address: str) -> tuple[Any, str]:
    import aiohttp
    from fsspec.core import url_to_fs

    options: dict[str, Any] = {}
    if urlsplit(address).scheme in ("http", "https"):
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SECONDS["connect"], sock_read=_SECONDS["read"])
        options = {"client_kwargs": {"timeout": timeout}}
    system, path = url_to_fs(address, **options)
    return system, str(path)


class _ForwardsOnly(io.BufferedReader):
    """A download, which does not support seek."""

    def seekable(self) -> bool:
        return False


def _opened(system: Any, path: str) -> io.BufferedReader:
    """A file's bytes. From a web server the whole file is read at once: not every server supports ranges."""
    if path.startswith(("http://", "https://")):
        return _ForwardsOnly(system.open(path, "rb", block_size=0), _BUFFER)
    return io.BufferedReader(system.open(path, "rb"), _BUFFER)


def _listed(system: Any, path: str) -> list[str] | None:
    """The files of a folder or pattern, sorted, without hidden ones; None where the path is one file."""
    if "*" in path:
        return sorted(name for name in system.glob(path) if system.isfile(name))
    # A web server has no folders: what fsspec would take for one is a page with links on it.
    if path.startswith(("http://", "https://")) or not system.isdir(path):
        return None
    top = _top(path)
    return sorted(name for name in system.find(path) if not _hidden(_inside(name, top)))


def _one_file(system: Any, path: str, clean: str, columns: Columns) -> Source:
    name = PurePosixPath(urlsplit(path).path if "://" in path else path).name
    from_web = path.startswith(("http://", "https://"))
    if from_web and not is_known(name):
        name = f"{name or urlsplit(path).hostname}.html"
    stem = split_name(Path(name))[0]

    def records() -> Iterator[Record]:
        with _told(clean, path), _opened(system, path) as stream:
            yield from read_stream(_as_sent(Path(name), stream) if from_web else Path(name), stream, columns)

    return Source("file", clean, source_name(stem), records())


def _as_sent(name: Path, stream: io.BufferedReader) -> Path:
    """A file's name without the extension of its compression, where the transfer has already decompressed it.

    This happens where a server sends a .gz file with `Content-Encoding: gzip`.
    """
    compression = split_name(name)[2]
    return name.with_suffix("") if compression and not is_packed(stream.peek(8), compression) else name


def _documents(
    system: Any,
    names: list[str],
    top: str,
    clean: str,
    passed_over: dict[str, list[str]],
    columns: Columns,
) -> Iterator[Record]:
    """The records of many files; their ids begin with the file's path in the folder."""
    for name in names:
        inside = Path(_inside(name, top))
        if unread := _no_file(system, name):
            passed_over.setdefault(unread, []).append(inside.as_posix())
            continue
        if not is_known(inside.name):
            passed_over.setdefault("unknown format", []).append(inside.as_posix())
            continue
        with _told(f"{clean.rstrip('/')}/{inside}", name), _opened(system, name) as stream:
            yield from _of_one(inside, stream, passed_over, columns)


def _no_file(system: Any, name: str) -> str:
    """The reason why a local path cannot be read as a file: a linked folder may be circular, a pipe never ends."""
    from fsspec.implementations.local import LocalFileSystem

    path = Path(name)
    if not isinstance(system, LocalFileSystem) or path.is_file():
        return ""
    if not path.exists():
        return "link to nothing"
    return "link to a folder" if path.is_dir() else "pipe, socket or device"


def _of_one(inside: Path, stream: BinaryIO, passed_over: dict[str, list[str]], columns: Columns) -> Iterator[Record]:
    extension, compression = split_name(inside)[1:]
    if extension in PAGES or extension == ".txt":
        reader = PAGES.get(extension, read_markdown)
        try:
            with unpacked(stream, compression) as plain:
                for record in reader(inside, plain):
                    yield _named(record, inside.as_posix())
        except (DataError, EOFError):
            passed_over.setdefault("not text", []).append(inside.as_posix())
        return
    records = read_stream(inside, stream, columns)
    if extension == ".json" and columns:
        # Most .json files in a folder are settings; one of rows begins with a row that has a text.
        try:
            first = next(records)
        except DataError:
            first = None
        if first is None or columns[0] not in first.fields:
            passed_over.setdefault("no rows of text", []).append(inside.as_posix())
            return
        records = chain([first], records)
    for record in records:
        yield _named(record, f"{inside.as_posix()}/{record.name}")


def _named(record: Record, name: str) -> Record:
    """A record with an id that is unique in the folder."""
    return Record(record.file, record.line, record.fields | {"id": name}, record.unread)


def _top(path: str) -> str:
    """The folder to which file names are relative; for a pattern, the part before its first folder with a star."""
    parts = path.rstrip("/").split("/")
    first = next((number for number, part in enumerate(parts) if "*" in part), len(parts))
    return "/".join(parts[:first])


def _inside(name: str, top: str) -> str:
    return name.removeprefix(top).strip("/")


def _hidden(inside: str) -> bool:
    return any(part.startswith(".") for part in inside.split("/"))


def is_known(name: str) -> bool:
    """Whether the format of a file is supported, by its name."""
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return bool(suffixes) and (suffixes[-1] in READERS or suffixes[-1] in PAGES)


@contextmanager
def _told(clean: str, address: str) -> Iterator[None]:
    """Turns every error of a file system into one DataError. `clean`: the address without secrets."""
    import aiohttp

    try:
        yield
    except FileNotFoundError as error:
        # Over HTTP any failure to look a file up is called this; its cause says more.
        if isinstance(error.__cause__, aiohttp.ClientError):
            raise _web_error(clean, error.__cause__) from None
        raise DataError(f"{clean}: not found", "check the address for typing errors") from None
    except PermissionError as error:
        raise DataError(
            f"{clean}: no access: {reason_of(error)}", "check its owner and mode, or log in first"
        ) from None
    except ImportError as error:
        protocol = urlsplit(address).scheme
        package = _PACKAGES.get(protocol)
        hint = f"install it beside Lianzi: `pip install {package}`" if package else "install it beside Lianzi"
        raise DataError(f"{clean}: {protocol}:// needs a package: {reason_of(error)}", hint) from None
    except aiohttp.ClientError as error:
        raise _web_error(clean, error) from None
    except (OSError, TimeoutError) as error:
        raise DataError(f"{clean}: cannot be read: {reason_of(error)}", "check the address, and the network") from None
    except ValueError as error:
        if "rotocol" not in str(error):
            raise
        raise DataError(f"{clean}: {reason_of(error)}", "known: https://, s3://, gs://, file:// …") from None
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _CLIENTS:
            raise
        raise DataError(f"{clean}: {reason_of(error)}", "check the address and your credentials for it") from None


def _web_error(clean: str, error: Any) -> DataError:
    import aiohttp

    if not isinstance(error, aiohttp.ClientResponseError):
        return DataError(f"{clean}: cannot be fetched: {reason_of(error)}", "check the address, and the network")
    if error.status == 404:
        return DataError(f"{clean}: not found (404)", "check the address for typing errors")
    hint = "is a login needed?" if error.status in (401, 403) else "try again later"
    return DataError(f"{clean}: the server answers {error.status} {error.message}", hint)
