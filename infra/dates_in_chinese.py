"""English dates and numbers with their Chinese: what a small model can learn to translate, made by rule.

Every row follows from its number alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import date, timedelta

SEED = "lianzi dates 1"
DIGITS = "零一二三四五六七八九"
PLACES = ("", "十", "百", "千")
WEEKDAYS = "一二三四五六日"
FIRST = date(1900, 1, 1)
THINGS = {"ships": "艘船", "books": "本书", "people": "个人", "houses": "座房子", "horses": "匹马", "trees": "棵树"}


def number_in_chinese(number: int) -> str:
    """0 to 99,999,999 as it is read: 3,205 is 三千二百零五."""
    if number >= 10_000:
        above, below = divmod(number, 10_000)
        gap = "零" if 0 < below < 1000 else ""
        return f"{number_in_chinese(above)}万{gap}{number_in_chinese(below) if below else ''}"
    if number == 0:
        return DIGITS[0]
    found, zero = "", False
    for place in reversed(range(4)):
        digit = number // 10**place % 10
        if digit:
            found += ("零" if zero and found else "") + DIGITS[digit] + PLACES[place]
        zero = digit == 0
    # Of ten to nineteen the one is not said.
    return found.removeprefix("一") if 10 <= number < 20 else found


def date_in_chinese(day: date) -> str:
    """Years digit by digit, months and days as numbers."""
    year = "".join(DIGITS[int(digit)] for digit in str(day.year))
    return f"{year}年{number_in_chinese(day.month)}月{number_in_chinese(day.day)}日"


def plain_date(draw: Callable[[int], int]) -> tuple[str, str]:
    day = _day(draw)
    return f"{day:%B} {day.day}, {day.year}", date_in_chinese(day)


def day_first(draw: Callable[[int], int]) -> tuple[str, str]:
    day = _day(draw)
    return f"on {day.day} {day:%B} {day.year}", f"在{date_in_chinese(day)}"


def with_weekday(draw: Callable[[int], int]) -> tuple[str, str]:
    day = _day(draw)
    return f"{day:%A}, {day:%B} {day.day}, {day.year}", f"{date_in_chinese(day)}，星期{WEEKDAYS[day.weekday()]}"


def counted(draw: Callable[[int], int]) -> tuple[str, str]:
    number = 2 + draw(10 ** (1 + draw(5)))
    things = sorted(THINGS)[draw(len(THINGS))]
    return f"{number:,} {things}", f"{number_in_chinese(number)}{THINGS[things]}"


FORMS = (plain_date, day_first, with_weekday, counted)


def _day(draw: Callable[[int], int]) -> date:
    return FIRST + timedelta(days=draw(54_787))  # up to 2049


def rows() -> Iterator[dict[str, str]]:
    """Each text once, without end."""
    seen, number = set(), 0
    while True:
        text, target = FORMS[number % len(FORMS)](_drawn(number))
        number += 1
        if text not in seen:
            seen.add(text)
            yield {"text": text, "target": target}


def _drawn(number: int) -> Callable[[int], int]:
    """Numbers below a limit, one after another, from a hash of the row's number."""
    count = 0

    def draw(limit: int) -> int:
        nonlocal count
        count += 1
        return int.from_bytes(hashlib.sha256(f"{SEED}:{number}:{count}".encode()).digest()[:8]) % limit

    return draw
