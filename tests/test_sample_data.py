"""The sample data: made the same way each time, held-out rows kept apart, every byte inside the repository."""

from __future__ import annotations

import gzip
import importlib.util
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ruamel.yaml import YAML

Rows = list[dict[str, Any]]
FORMS = ("tang", "song", "ci", "qu")


@pytest.fixture(scope="module")
def script(root: Path) -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "infra"))
        yield loaded(root)


def loaded(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample_data", root / "infra" / "sample_data.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory, script: ModuleType) -> Path:
    """Extracts of the real ones' shape, some texts standing twice."""
    folder = tmp_path_factory.mktemp("raw")
    topics = ("Arts", "History", "Uncategorized", "")
    leads = [{"title": f"{n}", "text": f"lead {n}", "topic": topics[n % 4], "description": ""} for n in range(400)]
    poems = [
        {"author": "x", "title": "y", "text": verse(n % 14_900), "form": FORMS[n % 4 if n < 10_000 else 0]}
        for n in range(15_000)
    ]
    addresses = [{"id": f"{year}_x", "text": f"address {year}"} for year in range(1930, 1960)]
    script.write(folder / "wiki_leads_en.jsonl.gz", leads)
    script.write(folder / "classical_poetry_zh.jsonl.gz", poems)
    script.write(folder / "state_of_the_union_en.jsonl.gz", addresses)
    words = [f"{first}{second}" for first in "bcdfg" for second in ("ako", "eri", "ilu")]
    mails = [
        {
            "id": f"{n}",
            "label": "spam" if n % 3 == 0 else "ham",
            "raw": f"Subject: mail\n\n{' '.join(choice(words, n))}",
        }
        for n in range(120)
    ]
    script.write(folder / "spamassassin_en.jsonl.gz", mails)
    script.write(folder / "moby_dick_en.jsonl.gz", [{"id": "1", "text": "Call me Ishmael."}])
    return folder


def verse(number: int) -> str:
    digits = f"{number:05}".translate(str.maketrans("0123456789", "山水風雲月花鳥魚草木"))
    return f"{digits}，{digits}。"


def choice(words: list[str], seed: int) -> list[str]:
    return random.Random(seed).choices(words, k=30)


def rows(path: Path) -> Rows:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def test_same_extracts_give_the_same_bytes(script: ModuleType, raw: Path, tmp_path: Path) -> None:
    made = []
    for name in ("one", "two"):
        script.main(raw, tmp_path / name)
        made.append({p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")})
    assert made[0] == made[1]
    assert len(made[0]) == 14


def test_held_out_rows_stand_nowhere_else(script: ModuleType, raw: Path, tmp_path: Path) -> None:
    script.main(raw, tmp_path)
    corpus = {row["text"] for path in (tmp_path / "corpus").iterdir() for row in rows(path)}
    for task in ("topic", "form", "spam"):
        texts = {
            split: [row["text"] for row in rows(tmp_path / "tasks" / task / f"{split}.jsonl.gz")]
            for split in ("train", "validation", "test")
        }
        everywhere = [text for split in texts.values() for text in split]
        assert len(everywhere) == len(set(everywhere))
        assert not corpus & {*texts["validation"], *texts["test"]}


def test_splits_have_their_sizes_and_each_class_its_share(script: ModuleType, raw: Path, tmp_path: Path) -> None:
    script.main(raw, tmp_path)
    topic = {split: rows(tmp_path / "tasks" / "topic" / f"{split}.jsonl.gz") for split in ("train", "test")}
    assert Counter(row["label"] for row in topic["test"]) == {"Arts": 15, "History": 15}
    assert Counter(row["label"] for row in topic["train"]) == {"Arts": 70, "History": 70}
    form = rows(tmp_path / "tasks" / "form" / "test.jsonl.gz")
    assert len(form) == 1500
    counts = Counter(row["label"] for row in form)
    assert max(counts["song"], counts["ci"], counts["qu"]) - min(counts["song"], counts["ci"], counts["qu"]) <= 1
    assert counts["tang"] > 2 * counts["song"]


def test_addresses_begin_in_1945(script: ModuleType, raw: Path, tmp_path: Path) -> None:
    script.main(raw, tmp_path)
    assert rows(tmp_path / "corpus" / "state_of_the_union_en.jsonl.gz")[0]["id"] == "1945_x"


def test_repository_holds_every_byte_that_data_dvc_names(root: Path) -> None:
    store = root / "infra" / "sample-data" / "files" / "md5"
    [out] = YAML(typ="safe").load(root / "data.dvc")["outs"]
    listing = json.loads((store / out["md5"][:2] / out["md5"][2:]).read_text())
    sizes = [(store / entry["md5"][:2] / entry["md5"][2:]).stat().st_size for entry in listing]
    assert len(listing) == out["nfiles"]
    assert sum(sizes) == out["size"]
