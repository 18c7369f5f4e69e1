from __future__ import annotations

from pathlib import Path

import pytest

from components.errors import ParameterError
from components.serving.keys import allowed, read_keys

KEY = b"0123456789abcdef"


def test_each_line_is_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(KEY + b"\n\n  fedcba9876543210\r\n")
    assert read_keys(path) == (KEY, b"fedcba9876543210")


@pytest.mark.parametrize("content", [b"", b"\n \n", b"short\n", KEY + b"\nshort\n"])
def test_a_file_without_good_keys_is_refused_and_its_content_not_shown(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match="openssl rand") as refused:
        read_keys(path)
    assert "short" not in str(refused.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="cannot be read: No such file"):
        read_keys(tmp_path / "keys")


def test_any_of_the_keys_opens_and_no_other_does() -> None:
    keys = (KEY, b"fedcba9876543210")
    assert allowed(keys, {b"x-api-key": keys[1]})
    assert allowed(keys, {b"authorization": b"Bearer " + KEY})
    assert not allowed(keys, {b"authorization": KEY})
    assert not allowed(keys, {b"x-api-key": "clé".encode()})
    assert not allowed(keys, {})
