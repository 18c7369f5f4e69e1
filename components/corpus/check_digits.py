"""Check digits of numbers that name a card, an account or a person."""

from __future__ import annotations


def luhn(digits: str) -> bool:
    """Payment cards: ISO/IEC 7812-1, annex B."""
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 * (value > 9) for value in doubled) % 10 == 0


def mod_11_2(number: str) -> bool:
    """Chinese resident identity numbers, 17 digits and a check character: GB 11643-1999, after ISO 7064."""
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(number[:17]))
    return "10X98765432"[total % 11] == number[17].upper()


def mod_97(account: str) -> bool:
    """IBAN, without spaces: ISO 13616."""
    moved = account[4:] + account[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1
