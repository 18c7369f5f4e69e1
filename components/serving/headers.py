"""Numbers that clients write in headers."""

from __future__ import annotations

DIGITS = 19
"""Of the largest number of bytes there can be; Python itself refuses to read one of thousands of digits."""


def byte_count(given: str) -> int | None:
    """A number of bytes, None for anything else: a sign, a digit of another script, more than any body has."""
    plain = given.isascii() and given.isdigit() and len(given.lstrip("0")) <= DIGITS
    return int(given) if plain and len(given) <= 2 * DIGITS else None
