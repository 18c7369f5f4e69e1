"""API keys: read from a file, compared in constant time, shown nowhere."""

from __future__ import annotations

import hmac
from pathlib import Path

from components.errors import ParameterError

SHORTEST = 16


def read_keys(path: Path) -> tuple[bytes, ...]:
    """One key a line, so that a new one can be let in before the old one goes. Raises ParameterError."""
    try:
        keys = tuple(line.strip() for line in path.read_bytes().splitlines() if line.strip())
    except OSError as error:
        raise ParameterError(f"{path}: cannot be read: {error.strerror}") from None
    if not keys or any(len(key) < SHORTEST for key in keys):
        raise ParameterError(
            f"{path}: needs a key of at least {SHORTEST} characters on each line", f"openssl rand -hex 32 > {path}"
        )
    return keys


def allowed(keys: tuple[bytes, ...], headers: dict[bytes, bytes]) -> bool:
    """Whether `authorization: Bearer KEY` or `x-api-key: KEY` gives one of the keys. Every key is compared."""
    given = headers.get(b"x-api-key", b"")
    scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() == b"bearer":
        given = token.strip()
    return sum(hmac.compare_digest(key, given) for key in keys) > 0
