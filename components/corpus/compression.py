"""Compressed files as streams of their content: gzip, zstd, bzip2, xz.

Every reader here raises an error for a truncated file; `zstandard`'s and Arrow's own readers do not always.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

if TYPE_CHECKING:
    import zstandard

COMPRESSIONS = {
    ".gz": rb"\x1f\x8b",
    ".zst": rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",  # or a frame to skip
    ".bz2": rb"BZh[1-9]",
    ".xz": rb"\xfd7zXZ\0",
}
"""Extension of a compressed file -> a pattern of its first bytes."""
_BUFFER = 1 << 16
_ZSTD_FEED = 1 << 12
"""Compressed bytes read at a time. 4 bytes of zstd stand for at most 128 KB, so this gives at most 128 MB."""
_ZSTD_WINDOW = 1 << 31
"""The largest window, `zstd --long=31`. Memory grows as the window fills, not at once."""


def is_packed(begin: bytes, compression: str) -> bool:
    """Whether these first bytes fit the extension of the file."""
    return re.match(COMPRESSIONS[compression], begin) is not None


def without_compression(path: Path) -> tuple[Path, str]:
    """A file's name without the extension of a compression, and this extension: `a.csv.gz` -> (`a.csv`, ".gz")."""
    found = path.suffix.lower()
    return (path.with_suffix(""), found) if found in COMPRESSIONS else (path, "")


@contextmanager
def unpacked(raw: BinaryIO, compression: str) -> Iterator[BinaryIO]:
    """The decompressed stream; `compression` is one of COMPRESSIONS, or "" for none. Damage raises OSError or
    EOFError.
    """
    import zstandard

    try:
        yield _opened(raw, compression)
    except (zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
        raise OSError(str(error)) from None


def _opened(raw: BinaryIO, compression: str) -> BinaryIO:
    if compression == ".gz":
        return io.BufferedReader(cast(io.RawIOBase, gzip.GzipFile(fileobj=raw)), _BUFFER)
    if compression == ".bz2":
        return io.BufferedReader(cast(io.RawIOBase, bz2.BZ2File(raw)), _BUFFER)
    if compression == ".xz":
        return io.BufferedReader(cast(io.RawIOBase, lzma.LZMAFile(raw)), _BUFFER)
    if compression == ".zst":
        return io.BufferedReader(_ZstdStream(raw), _BUFFER)
    return raw


class _ZstdStream(io.RawIOBase):
    """All frames of a zstd file, with a window of any size."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._packed = b""  # what was read beyond the end of a frame
        self._plain = memoryview(b"")
        self._frame: zstandard.ZstdDecompressionObj | None = None  # None between frames

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._plain:
            packed = self._packed or self._raw.read(_ZSTD_FEED)
            self._packed = b""
            if not packed and self._frame is None:
                return 0
            if not packed:
                raise EOFError("the file ends before its last zstd frame does")
            self._unpack(packed)
        size = min(len(buffer), len(self._plain))
        buffer[:size], self._plain = self._plain[:size], self._plain[size:]
        return size

    def _unpack(self, packed: bytes) -> None:
        import zstandard

        if self._frame is None:
            self._frame = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
        self._plain = memoryview(self._frame.decompress(packed))
        if self._frame.eof:
            self._packed, self._frame = self._frame.unused_data, None
