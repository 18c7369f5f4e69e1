"""A corpus of two sources and a task, small enough to curate in a second."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

POEMS = "春夏秋冬山水風月雲雨雪花草木鳥魚人天地日星江河湖海城門樓臺舟車馬牛羊田園竹梅松柏酒詩琴棋書畫夢夜晨昏東西南北"
WORDS = (
    "harbour whale captain sailor storm anchor lantern voyage island market bridge tower garden orchard mountain river "
    "letter soldier doctor teacher painter winter summer silver copper marble window kitchen library railway engine"
).split()


def documents(count: int, start: int = 0) -> list[dict[str, Any]]:
    """English sentences, no two alike, by a fixed rule."""
    rows = []
    for number in range(start, start + count):
        words = [WORDS[(number * 7 + place * (number % 11 + 3)) % len(WORDS)] for place in range(24)]
        rows.append({"id": f"d{number}", "text": f"Number {number} tells of the " + " and the ".join(words) + "."})
    return rows


def poems(count: int) -> list[dict[str, Any]]:
    rows = []
    for number in range(count):
        signs = [POEMS[(number * 13 + place * (number % 17 + 5)) % len(POEMS)] for place in range(28)]
        text = "".join(sign + ("，" if place % 14 == 6 else "。" if place % 14 == 13 else "") for place, sign in enumerate(signs))
        rows.append({"id": f"p{number}", "text": text})
    return rows


def write(path: Path, content: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content), encoding="utf-8")


def small_data(folder: Path) -> Path:
    """data/ with the sources sea_en and verse_zh and the task colour."""
    write(folder / "corpus" / "sea_en.jsonl", documents(60))
    write(folder / "corpus" / "verse_zh.jsonl", poems(40))
    rows = [{"text": "a row about the colour red", "label": "a"}, {"text": "a row about blue", "label": "b"}]
    write(folder / "tasks" / "colour" / "train.jsonl", rows)
    write(folder / "tasks" / "colour" / "validation.jsonl", [{"text": "a validation row of the task", "label": "a"}])
    write(folder / "tasks" / "colour" / "test.jsonl", [{"text": "a test row of the task", "label": "b"}])
    return folder
