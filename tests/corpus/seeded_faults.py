"""A corpus of 1,000 rows in English and Chinese with faults of 25 kinds, each row knowing what ought to become of it.

Deterministic, and made of words drawn from lists: no two clean rows resemble each other more than any two texts do.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

ROWS = 1000
EACH = 8
"""Rows of each kind of fault; the rest are clean, half of them in each language."""
EN = """
river harbour window market letter garden village captain winter morning journey mountain teacher station bridge
engine field island kitchen lantern meadow neighbour orchard painter quarry railway shepherd theatre valley workshop
almanac barley cellar doctor evening forest grammar hillside instrument justice kingdom library museum needle ocean
pasture quarrel rainfall sailor temple umbrella vessel weather yarn anchor blanket candle dialect carried opened
followed remembered painted measured crossed repaired counted watched buried lifted described narrow heavy quiet
ancient bright careful distant early foreign gentle hollow jealous loyal modest northern often slowly never almost
together seldom yesterday outside perhaps quickly
""".split()  # noqa: SIM905
LINKS = ("the", "of", "and", "with", "in", "to", "that", "was", "for", "on")
ZH = (
    "江河山川春夏秋冬風雨雲雪花草樹木田園村莊城門橋樑船帆書信紙筆琴棋茶酒燈火星月天地人家父母兄弟朋友客商"
    "農夫工匠醫生老師學校市場鐵路車站機器房屋窗戶門庭院落街道歷史文字語言音樂繪畫舞蹈戲劇詩歌故事傳說"
    "發現研究記錄觀察描寫介紹建立保存修復開放參加組織討論決定認為表示說明包括形成使用生產製造運輸"
    "古老安靜明亮遙遠重要普通特別美麗豐富簡單複雜溫暖寒冷"
)
ZH_LINKS = ("的", "在", "和", "是", "了", "與", "從", "而")
FOREIGN = {
    "de": "Der alte Fischer ging jeden Morgen zum Hafen und erzählte den Kindern von den Stürmen seiner Jugend. "
    "Sie hörten ihm gerne zu, weil seine Geschichten immer ein gutes Ende nahmen, auch wenn niemand sie glaubte.",
    "fr": "Le vieux pêcheur allait chaque matin au port et racontait aux enfants les tempêtes de sa jeunesse. "
    "Ils aimaient l'écouter parce que ses histoires finissaient toujours bien, même si personne n'y croyait.",
    "ru": "Старый рыбак каждое утро ходил в гавань и рассказывал детям о бурях своей молодости. "
    "Они любили его слушать, потому что его истории всегда хорошо кончались, хотя никто им не верил.",
    "ja": "年老いた漁師は毎朝港へ行き、若いころの嵐について子どもたちに話して聞かせました。"
    "だれも信じませんでしたが、話はいつもよい終わり方をするので、みんな喜んで聞いていました。",
}


@dataclass(frozen=True)
class SeededRow:
    """A row of the corpus. `expected`: `kept`, or the reason it is turned away for; `change`: what is changed in it.

    `of`: the row that it repeats; `gone`: what may not be left in the text that is kept.
    """

    id: str
    text: str
    language: str
    fault: str
    expected: str = "kept"
    change: str = ""
    of: str = ""
    gone: str = ""
    label: str = ""


def prose(chance: random.Random, language: str, sentences: int = 12) -> str:
    """Sentences of no meaning, but with the words and stops that prose has; about 12 units each."""
    return ("" if language == "zh" else " ").join(_sentence(chance, language) for _ in range(sentences))


def held_out_rows() -> list[tuple[str, str]]:
    """Split and text of a task's rows that some of the seeded rows give away."""
    chance = random.Random("held out")
    splits = ("test", "validation")
    return [(splits[i % 2], prose(chance, ("en", "zh")[i // 2 % 2], 6)) for i in range(4 * EACH)]


def seeded_rows() -> list[SeededRow]:
    """All rows, faults spread among clean ones; an original stands before what repeats it."""
    chance = random.Random("faults")
    clean = [_row(f"clean-{i}", prose(chance, ("en", "zh")[i % 2]), ("en", "zh")[i % 2]) for i in range(_clean_count())]
    faulty = [make(chance, i, clean) for make in _KINDS.values() for i in range(EACH)]
    later = clean[100:] + faulty
    chance.shuffle(later)
    return clean[:100] + later


def contradicting(rows: list[SeededRow]) -> list[str]:
    """The ids of labelled rows whose text stands in an earlier row with another label."""
    seen: dict[str, str] = {}
    return [row.id for row in rows if row.label and seen.setdefault(row.text, row.label) != row.label]


def labelled_rows() -> list[SeededRow]:
    """Rows of a task, the last EACH of them with a label that contradicts an identical text's."""
    chance = random.Random("labels")
    rows = [_row(f"task-{i}", prose(chance, "en", 3), "en", label=("a", "b")[i % 2]) for i in range(4 * EACH)]
    wrong = [
        _row(f"label-{i}", row.text, "en", "wrong_label", label={"a": "b", "b": "a"}[row.label])
        for i, row in enumerate(rows[:EACH])
    ]
    return rows + wrong


def as_json_lines(rows: list[SeededRow]) -> str:
    """The rows as a file of data/corpus."""
    lines = ({"id": row.id, "text": row.text, "language": row.language} for row in rows)
    return "".join(json.dumps(line) + "\n" for line in lines)


def fault_kinds() -> tuple[str, ...]:
    """The kinds of faults among the rows, wrong labels of a task included."""
    return (*_KINDS, "wrong_label")


def _row(name: str, text: str, language: str, fault: str = "", **known: str) -> SeededRow:
    return SeededRow(name, text, language, fault, **known)


def _clean_count() -> int:
    return ROWS - EACH * len(_KINDS)


def _sentence(chance: random.Random, language: str) -> str:
    if language == "zh":
        clauses = ["".join(chance.choice(ZH) for _ in range(5)) + chance.choice(ZH_LINKS) for _ in range(2)]
        return "，".join(clause + chance.choice(ZH) for clause in clauses) + "。"
    words = [chance.choice(LINKS) if place % 3 == 0 else chance.choice(EN) for place in range(12)]
    return " ".join(words).capitalize() + "."


def _language(number: int) -> str:
    return ("en", "zh")[number % 2]


Maker = Callable[[random.Random, int, list[SeededRow]], SeededRow]


def _damaged(fault: str, damage: Callable[[str], str], language: str = "", **known: str) -> Maker:
    """Clean prose, damaged."""

    def make(chance: random.Random, number: int, clean: list[SeededRow]) -> SeededRow:
        spoken = language or _language(number)
        return _row(f"{fault}-{number}", damage(prose(chance, spoken)), spoken, fault, **known)

    return make


def _repeating(fault: str, edit: Callable[[random.Random, list[str], str], list[str]]) -> Maker:
    """A clean row once more, its units edited."""

    def make(chance: random.Random, number: int, clean: list[SeededRow]) -> SeededRow:
        place = 10 * list(_KINDS).index(fault) % 100 + number % 10
        original = clean[place]
        zh = original.language == "zh"
        units = list(original.text) if zh else original.text.split(" ")
        text = ("" if zh else " ").join(edit(chance, units, original.language))
        return _row(f"{fault}-{number}", text, original.language, fault, expected="near_duplicate", of=original.id)

    return make


def _some_changed(chance: random.Random, units: list[str], language: str, share: float) -> list[str]:
    """A share of the words, or characters but no stops, changed for others."""
    places = [place for place, unit in enumerate(units) if unit not in "，。"]
    for place in chance.sample(places, max(1, round(share * len(places)))):
        units[place] = chance.choice([other for other in (ZH if language == "zh" else EN) if other != units[place]])
    return units


def _personal(fault: str, values: dict[str, str]) -> Maker:
    """Prose that names a piece of personal data in its middle. values: value -> its kind."""

    def make(chance: random.Random, number: int, clean: list[SeededRow]) -> SeededRow:
        language, (value, kind) = _language(number), list(values.items())[number % len(values)]
        said = f"請聯繫{value}，謝謝。" if language == "zh" else f" Write to {value}, please. "
        text = prose(chance, language, 5) + said + prose(chance, language, 5)
        return _row(f"{fault}-{number}", text, language, fault, change=f"{kind}_scrubbed", gone=value)

    return make


def _leaked(chance: random.Random, number: int, clean: list[SeededRow]) -> SeededRow:
    """Prose around a held-out row, whole or without its beginning."""
    split, text = held_out_rows()[number]
    language = "zh" if "。" in text else "en"
    text = text[len(text) // 4 :] if number % 3 == 0 else text
    text = prose(chance, language, 4) + " " + text + " " + prose(chance, language, 4)
    return _row(f"leaked_row-{number}", text, language, "leaked_row", expected=f"in_task_{split}")


def _in_a_wrong_language(chance: random.Random, number: int, clean: list[SeededRow]) -> SeededRow:
    text = [*FOREIGN.values(), prose(chance, "en"), prose(chance, "zh")][number % 6]
    claimed = "en" if number % 6 == 5 else "zh" if number % 6 == 4 else _language(number)
    return _row(f"wrong_language-{number}", text, claimed, "wrong_language", expected="wrong_language")


def _scattered(mark: str) -> Callable[[str], str]:
    return lambda text: mark.join(text[at : at + 40] for at in range(0, len(text), 40))


def _read_as_windows(text: str) -> str:
    return text.replace(".", " – it’s so….", 1).encode().decode("cp1252")


def _read_as_gbk(text: str) -> str:
    """UTF-8 read as GBK, of characters that lose no byte by it: an even number of them, none with a byte 80."""
    safe = [char for char in text.replace("。", "！") if 0x80 not in char.encode()]
    return "".join(safe[: len(safe) // 2 * 2]).encode().decode("gb18030")


def _bidirectional(text: str) -> str:
    return "\u202e" + text[:50] + "\u202c\u200f" + text[50:]


_KINDS: dict[str, Maker] = {
    "mojibake": _damaged("mojibake", _read_as_windows, "en", change="encoding_repaired", gone="â€"),
    "latin_1": _damaged(
        "latin_1",
        lambda text: text.replace(" ", " café déjà vu ", 1).encode().decode("latin-1"),
        "en",
        change="encoding_repaired",
        gone="Ã",
    ),
    "utf_8_as_gbk": _damaged("utf_8_as_gbk", _read_as_gbk, "zh", change="encoding_repaired", gone="锛"),
    "replacement_character": _damaged(
        "replacement_character",
        lambda text: text[:30] + "\ufffd" + text[30:],
        change="replacements_removed",
        gone="\ufffd",
    ),
    "undecodable": _damaged("undecodable", _scattered("\ufffd\ufffd"), expected="broken_encoding"),
    "control_characters": _damaged("control_characters", _scattered("\x07"), change="controls_removed", gone="\x07"),
    "zero_width": _damaged("zero_width", _scattered("\u200b"), change="invisible_removed", gone="\u200b"),
    "right_to_left": _damaged("right_to_left", _bidirectional, change="invisible_removed", gone="\u202e"),
    "empty": _damaged("empty", lambda text: " \n\t\u3000"[: len(text)], expected="empty"),
    "huge_line": _damaged("huge_line", lambda text: text + "QUJD" * 5000, expected="long_run"),
    "symbols": _damaged("symbols", lambda text: text[:20] + " #$%^&*=~|" * 40, expected="few_letters"),
    "repeated_lines": _damaged(
        "repeated_lines", lambda text: text + "\n" + (text[:30] + "\n") * 20, expected="repeated_lines"
    ),
    "wrong_language": _in_a_wrong_language,
    "exact_duplicate": _repeating("exact_duplicate", lambda chance, units, language: units),
    "case_and_space": _repeating(
        "case_and_space", lambda chance, units, language: [f"{unit.upper()} " for unit in units]
    ),
    "word_changed": _repeating(
        "word_changed", lambda chance, units, language: _some_changed(chance, units, language, 0)
    ),
    "sentence_added": _repeating(
        "sentence_added", lambda chance, units, language: [*units, _sentence(chance, language)]
    ),
    "words_changed": _repeating(
        "words_changed", lambda chance, units, language: _some_changed(chance, units, language, 0.15)
    ),
    "email": _personal("email", {"jane.doe@mail.example.org": "email", "wang_li@example.com.cn": "email"}),
    "phone": _personal(
        "phone",
        dict.fromkeys(["(212) 555-0187", "+44 20 7946 0958", "13812345678", "+86 138-1234-5678"], "phone"),
    ),
    "ip_address": _personal("ip_address", {"93.184.216.34": "ip_address", "2001:4860:4860::8888": "ip_address"}),
    "bank_number": _personal(
        "bank_number", {"4111 1111 1111 1111": "credit_card", "GB82 WEST 1234 5698 7654 32": "iban"}
    ),
    "identity_number": _personal(
        "identity_number", {"11010519491231002X": "resident_identity_number", "123-45-6789": "social_security_number"}
    ),
    "leaked_row": _leaked,
}
