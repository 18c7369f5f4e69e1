"""The sample data's poems: script, signs and notes are the same, whichever edition a poem was taken from."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

POEM = "白日依山盡，黃河入海流。\n欲窮千里目，更上一層樓。"
SIMPLIFIED = "白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。"


@pytest.fixture
def poems(root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(root / "infra")
    return __import__("sample_poems")


@pytest.mark.parametrize(
    ("given", "verses"),
    [
        (POEM, SIMPLIFIED),
        (SIMPLIFIED, SIMPLIFIED),
        ("疎簷鴈影，見說著花遲。", "疏檐雁影，见说着花迟。"),
        ("閑窗莫著書，疎雨著花遲。", "闲窗莫著书，疏雨着花迟。"),
        ("有城头、钟鼓连云，殷春雷天外。", "有城头，钟鼓连云，殷春雷天外。"),
        ("哎！儿也，你来了么？我不曾见；", "哎。\n儿也，你来了么。\n我不曾见。"),
        ('(正末云)"一刻千金价。"［丑］俺也曾听来。', "一刻千金价。\n俺也曾听来。"),
        ("白日依山盡，黃河入海流。\n（見《唐詩紀事》卷二七（缺））。", "白日依山尽，黄河入海流。"),
        ("馀花落處，長恨春歸。", "余花落处，长恨春归。"),
    ],
)
def test_a_poem_has_one_script_and_two_signs(poems: ModuleType, given: str, verses: str) -> None:
    assert poems.verses(given) == verses


@pytest.mark.parametrize(
    "given", ["任{口顔}顏不開，江水自流。", "忙扌若在手儿中。", "嵬ㄝ押千官�。", "何由[脫]此身。", "愁囗看山。"]
)
def test_a_damaged_poem_is_left_out(poems: ModuleType, given: str) -> None:
    assert poems.verses(given) == ""


def test_a_poem_that_differs_in_signs_alone_stands_once(poems: ModuleType) -> None:
    rows = [
        {"title": "登鸛雀樓", "author": "王之渙", "text": text}
        for text in (POEM, SIMPLIFIED, POEM.replace("，", "、"), "山。")
    ]
    assert list(poems.alike(rows)) == [{"title": "登鹳雀楼", "author": "王之涣", "text": SIMPLIFIED}]


def test_a_standard_character_is_no_variant_of_another(poems: ModuleType) -> None:
    table = poems._standard()
    assert not {ord(standard) for standard in table.values()} & set(table)


def test_no_form_has_signs_or_a_script_of_its_own(root: Path) -> None:
    files = (root / "data" / "tasks" / "form").glob("*.jsonl.gz")
    characters: dict[str, Counter[str]] = {}
    for file in files:
        for row in map(json.loads, gzip.decompress(file.read_bytes()).splitlines()):
            characters.setdefault(row["label"], Counter()).update(row["text"])
    for counts in characters.values():
        assert {character for character in counts if not character.isalpha()} == {"，", "。", "\n"}
        for others in characters.values():
            # The rest are rare characters; of tang's characters 0.67 stood in ci as the source has them.
            assert sum(counts[character] for character in others) > 0.95 * counts.total()
