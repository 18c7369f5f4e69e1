"""Changes of a text that should leave its answer as it is: CheckList's invariance tests (Ribeiro et al. 2020), in
English and Chinese.

Each is a function of the text and a generator of random numbers, which its caller seeds by row.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from components.analysis.config import PerturbationName

Change = Callable[[str, np.random.Generator], str]

TYPOS = 0.1
"""Share of the words, or of the Chinese characters, that are mistyped: at least one."""
_WORD = re.compile(r"[A-Za-z]{4,}")
_KEYBOARD = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

_HOMOPHONES = """
的地得 在再 載在 做作坐座 他她它 是事市式 试式 以已意易 有又友 不部步布 和合河何 人仁 这着 這着 中钟终 鐘中 大打
上尚 国果过 國果過 为位未味 為位未味 到道倒 时实十石 時實十石 会回汇 會回匯 生声升 聲生升 可刻客课 也业夜页
也業夜頁 年念 出初处 里理力立 裡理力立 利力历 说硕 說碩 要药 藥要 就旧救 舊就 对队 對隊 能嫩 自字子资 子紫
行形型 心新信 新心 天田甜 水睡 山三 风封丰 風封豐 花话化 花話化 月越约 月越約 日目 明名 春纯 春純 秋球 江将 江將
无五物 無五物 长常场 長常場 飞非 飛非 云运 雲運 白百 雨语鱼 雨語魚 书树输 書樹輸 酒九久 情清晴 清青情 远园元
遠園元 东冬懂 東冬懂 西息希 南男难 南男難 家加假 高告 门们 門們 马吗妈 馬嗎媽 电店点 電店點 机几级 機幾級 请情
請情 问文温 問文 学雪 學雪 好号 號好 喜习 喜習 爱哀 愛哀 想响向 想響向 见间件 見間件 手首受 手首 头投 頭投
金今进 金今進 古故 今金 千前钱 千前錢
"""
"""Characters that sound alike, which is how Chinese is mistyped: a table of frequent ones, simplified and traditional.
"""

_EXPANDED = (
    (re.compile(r"\bcan't\b", re.I), "cannot"),
    (re.compile(r"\bwon't\b", re.I), "will not"),
    (re.compile(r"(?<=[a-z])n't\b", re.I), " not"),
    (re.compile(r"(?<=[a-z])'re\b", re.I), " are"),
    (re.compile(r"(?<=[a-z])'ve\b", re.I), " have"),
    (re.compile(r"(?<=[a-z])'ll\b", re.I), " will"),
    (re.compile(r"\b(I)'m\b"), r"\1 am"),
)
_CONTRACTED = (
    (re.compile(r"\bcannot\b", re.I), "can't"),
    (re.compile(r"\b(is|are|was|were|do|does|did|has|have|had|would|could|should) not\b", re.I), r"\1n't"),
    (re.compile(r"\b(they|we|you) are\b", re.I), r"\1're"),
    (re.compile(r"\b(I|they|we|you) have\b", re.I), r"\1've"),
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@cache
def _neighbours() -> dict[str, str]:
    """The keys beside each letter's."""
    found: dict[str, str] = {}
    for left, right in (pair for row in _KEYBOARD for pair in pairwise(row)):
        found[left] = found.get(left, "") + right
        found[right] = found.get(right, "") + left
    return found


@cache
def _sound_alike() -> dict[str, str]:
    found: dict[str, str] = {}
    for group in _HOMOPHONES.split():
        for one in group:
            found[one] = found.get(one, "") + group.replace(one, "")
    return found


def typos(text: str, random: np.random.Generator) -> str:
    """Words of four letters and more with a neighbouring key, two letters in each other's place, a letter left out or
    typed twice; the first letter stays."""
    words = list(_WORD.finditer(text))
    return _replaced(text, [word.span() for word in words], random, _mistyped)


def homophones(text: str, random: np.random.Generator) -> str:
    """Characters in the place of others that sound alike."""
    places = [(place, place + 1) for place, one in enumerate(text) if one in _sound_alike()]
    return _replaced(text, places, random, lambda one, random: str(random.choice(list(_sound_alike()[one]))))


def no_punctuation(text: str, _random: np.random.Generator) -> str:
    """Signs of every script left out."""
    return "".join(one for one in text if not _is_sign(one))


def more_punctuation(text: str, _random: np.random.Generator) -> str:
    """Signs at the end of a sentence three times, and one where a text ends without."""
    whole = text if not text or _is_sign(text[-1]) else f"{text}{'.' if text.isascii() else '。'}"
    return re.sub(r"([.!?。！？])(?=\s|$|[^\x00-\x7f])", r"\1\1\1", whole)


def full_width(text: str, _random: np.random.Generator) -> str:
    """Letters, digits and signs of ASCII as Chinese input methods also write them; blanks stay."""
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)


def contractions(text: str, _random: np.random.Generator) -> str:
    """`don't` as `do not`; where a text has no such word, `do not` as `don't`."""
    return _substituted(text, _EXPANDED) or _substituted(text, _CONTRACTED) or text


def link(text: str, random: np.random.Generator) -> str:
    """An address that leads nowhere behind the text."""
    return f"{text} https://t.co/{''.join(random.choice(list(_LETTERS), 6))}"


def traditional(text: str, _random: np.random.Generator) -> str:
    """Chinese in traditional characters."""
    return str(_converter("s2t").convert(text))


def simplified(text: str, _random: np.random.Generator) -> str:
    """Chinese in simplified characters."""
    return str(_converter("t2s").convert(text))


@dataclass(frozen=True)
class Perturbation:
    """`phrase`: what it is, in a sentence; `changes`: by the language of the text. `in_place`: every character stays at
    its place, and so do the words that are answered about."""

    phrase: str
    changes: Mapping[str, Change]
    in_place: bool = False


def _in_both(change: Change) -> dict[str, Change]:
    return {"en": change, "zh": change}


PERTURBATIONS: dict[PerturbationName, Perturbation] = {
    "typos": Perturbation("typing errors", {"en": typos, "zh": homophones}),
    "lower_case": Perturbation("lower case", {"en": lambda text, _: text.lower()}, in_place=True),
    "upper_case": Perturbation("upper case", {"en": lambda text, _: text.upper()}, in_place=True),
    "no_punctuation": Perturbation("no punctuation", _in_both(no_punctuation)),
    "more_punctuation": Perturbation("more punctuation", _in_both(more_punctuation)),
    "full_width": Perturbation("full-width letters", _in_both(full_width), in_place=True),
    "traditional": Perturbation("traditional characters", {"zh": traditional}),
    "simplified": Perturbation("simplified characters", {"zh": simplified}),
    "contractions": Perturbation("contractions", {"en": contractions}),
    "link": Perturbation("a link behind the text", _in_both(link)),
}


def _replaced(
    text: str,
    places: list[tuple[int, int]],
    random: np.random.Generator,
    change: Callable[[str, np.random.Generator], str],
) -> str:
    """The text with a share of these places changed."""
    if not places:
        return text
    count = max(1, round(TYPOS * len(places)))
    chosen = sorted(random.choice(len(places), size=count, replace=False).tolist(), reverse=True)
    for begin, end in (places[number] for number in chosen):  # from the back: the places before stay right
        text = text[:begin] + change(text[begin:end], random) + text[end:]
    return text


def _mistyped(word: str, random: np.random.Generator) -> str:
    place = int(random.integers(1, len(word) - 1))
    before, one, other, after = word[:place], word[place], word[place + 1], word[place + 2 :]
    wrong = str(random.choice(list(_neighbours()[one.lower()])))
    return str(
        random.choice(
            [
                f"{before}{wrong}{other}{after}",
                f"{before}{other}{one}{after}",
                f"{before}{other}{after}",
                f"{before}{one}{one}{other}{after}",
            ]
        )
    )


def _is_sign(one: str) -> bool:
    return unicodedata.category(one).startswith("P")


def _substituted(text: str, rules: tuple[tuple[re.Pattern[str], str], ...]) -> str | None:
    """None where no rule fits."""
    changed = text
    for pattern, replacement in rules:
        changed = pattern.sub(replacement, changed)
    return changed if changed != text else None


@cache
def _converter(direction: str):  # type: ignore[no-untyped-def]  # opencc has no types
    import opencc  # late: its dictionaries are read at once

    return opencc.OpenCC(direction)
