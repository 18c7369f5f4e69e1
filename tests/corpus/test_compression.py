"""Packed files are read to their end whatever packed them; one that is cut short or damaged is an error."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
from collections.abc import Callable

import pytest
import zstandard

from components.corpus.compression import COMPRESSIONS, is_packed, unpacked

ROWS = b"".join(b'{"text": "%d"}\n' % number**9 for number in range(20_000))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def content(packed: bytes, compression: str) -> bytes:
    with unpacked(io.BytesIO(packed), compression) as stream:
        return stream.read()


def with_window(log: int) -> bytes:
    """As `zstd --long=LOG` packs what comes through a pipe."""
    parameters = zstandard.ZstdCompressionParameters(window_log=log, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packer.compress(ROWS) + packer.flush()


def test_there_is_a_test_for_every_compression() -> None:
    assert PACKERS.keys() == COMPRESSIONS.keys()


@pytest.mark.parametrize("compression", PACKERS)
def test_a_file_of_several_parts_is_read_to_its_end(compression: str) -> None:
    assert content(PACKERS[compression](ROWS) * 2, compression) == ROWS * 2


@pytest.mark.parametrize("compression", PACKERS)
@pytest.mark.parametrize("lost", [1, 5, 1000])
def test_a_file_cut_short_is_an_error(compression: str, lost: int) -> None:
    with pytest.raises((EOFError, OSError)):
        content(PACKERS[compression](ROWS)[:-lost], compression)


@pytest.mark.parametrize("compression", PACKERS)
def test_what_is_not_packed_so_is_an_error(compression: str) -> None:
    with pytest.raises((EOFError, OSError)):
        content(b"plain text\n", compression)


@pytest.mark.parametrize("log", [27, 28, 31])
def test_a_zstd_window_may_be_of_any_length(log: int) -> None:
    assert content(with_window(log), ".zst") == ROWS


def test_zeros_behind_a_gzip_file_are_passed_over() -> None:
    assert content(gzip.compress(ROWS) + bytes(512), ".gz") == ROWS


def test_a_frame_that_zstd_skips_is_skipped() -> None:
    assert content(b"\x50\x2a\x4d\x18\x04\0\0\0note" + zstandard.compress(ROWS), ".zst") == ROWS


def test_a_small_file_of_a_large_text_comes_in_pieces() -> None:
    packed = zstandard.compress(bytes(2**26) + os.urandom(100))
    with unpacked(io.BytesIO(packed), ".zst") as stream:
        assert stream.read(10) == bytes(10)


@pytest.mark.parametrize("compression", PACKERS)
def test_a_packed_file_is_known_by_its_first_bytes(compression: str) -> None:
    assert is_packed(PACKERS[compression](b""), compression)
    assert not any(is_packed(begin, compression) for begin in (b"", b'{"text": "one"}', b"PAR1"))


def test_a_zstd_file_may_begin_with_a_frame_to_skip() -> None:
    assert is_packed(b"\x50\x2a\x4d\x18\x04\0\0\0note", ".zst")
