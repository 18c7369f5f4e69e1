"""Derive data/ from the raw extracts: `python infra/sample_data.py RAW_FOLDER data`.

Every choice is made by a hash of the text, so the same extracts give the same bytes again. The rows a
task is validated and tested on are left out of the corpora.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sample_mail import spam_task
from sample_poems import alike

Row = dict[str, Any]
Splits = dict[str, list[Row]]

SEED = "lianzi sample data 1"
FORM_ROWS = {"train": 6000, "validation": 1300, "test": 1500}
CORPUS_POEMS = 24_000
FIRST_ADDRESS = "1945"
HELD_OUT = ("validation", "test")


def main(raw: Path, data: Path) -> None:
    leads = read(raw / "wiki_leads_en.jsonl.gz")
    poems = list(alike(read(raw / "classical_poetry_zh.jsonl.gz")))
    topic, form = topic_task(leads), form_task(poems)
    spam = spam_task(read(raw / "spamassassin_en.jsonl.gz"))
    for name, splits in {"topic": topic, "form": form, "spam": spam}.items():
        for split, rows in splits.items():
            write(data / "tasks" / name / f"{split}.jsonl.gz", rows)
    corpus = data / "corpus"
    write(corpus / "wiki_leads_en.jsonl.gz", lead_documents(leads, held_out(topic)))
    write(corpus / "classical_poetry_zh.jsonl.gz", poem_documents(poems, held_out(form)))
    addresses = read(raw / "state_of_the_union_en.jsonl.gz")
    write(corpus / "state_of_the_union_en.jsonl.gz", (row for row in addresses if row["id"] >= FIRST_ADDRESS))
    write(corpus / "moby_dick_en.jsonl.gz", read(raw / "moby_dick_en.jsonl.gz"))
    (data / "SOURCES.md").write_text(Path(__file__).with_name("sample_data_sources.md").read_text("utf-8"), "utf-8")


def topic_task(leads: Iterable[Row]) -> Splits:
    """70/15/15 of the leads that have a topic, each topic divided alike."""
    splits: Splits = {"train": [], "validation": [], "test": []}
    named = (row for row in leads if row["topic"] not in ("", "Uncategorized"))
    for label, rows in by_label(named, "topic").items():
        share = round(0.15 * len(rows))
        parts = {"validation": rows[:share], "test": rows[share : 2 * share], "train": rows[2 * share :]}
        for split, part in parts.items():
            splits[split] += [{"text": row["text"], "label": label} for row in part]
    return {split: mixed(rows) for split, rows in splits.items()}


def form_task(poems: Iterable[Row]) -> Splits:
    """FORM_ROWS poems, each form with the share it has of all."""
    groups = by_label(poems, "form")
    total = sum(len(rows) for rows in groups.values())
    splits: Splits = {split: [] for split in FORM_ROWS}
    for split, wanted in FORM_ROWS.items():
        sizes = shares({label: len(rows) for label, rows in groups.items()}, wanted, total)
        for label, size in sizes.items():
            taken, groups[label] = groups[label][:size], groups[label][size:]
            splits[split] += [{"text": row["text"], "label": label} for row in taken]
        total = sum(len(rows) for rows in groups.values())
    return {split: mixed(rows) for split, rows in splits.items()}


def lead_documents(leads: Iterable[Row], excluded: set[str]) -> Iterator[Row]:
    for number, row in enumerate(leads, 1):
        if row["text"] not in excluded:
            yield {"id": f"wiki-{number:05d}", "title": row["title"], "text": row["text"], "language": "en"}


def poem_documents(poems: Iterable[Row], excluded: set[str]) -> list[Row]:
    free = (row for row in poems if row["text"] not in excluded)
    chosen = mixed(free)[:CORPUS_POEMS]
    return [
        {"id": f"poem-{key(row)[:12]}", "title": row["title"], "author": row["author"], "text": row["text"]}
        for row in chosen
    ]


def shares(counts: Mapping[str, int], wanted: int, total: int) -> dict[str, int]:
    """`wanted` divided in proportion to the counts; what rounding leaves goes to the largest remainders."""
    exact = {label: wanted * count / total for label, count in counts.items()}
    sizes = {label: int(size) for label, size in exact.items()}
    for label in sorted(exact, key=lambda label: sizes[label] - exact[label])[: wanted - sum(sizes.values())]:
        sizes[label] += 1
    return sizes


def by_label(rows: Iterable[Row], column: str) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in mixed(rows):
        groups[row[column]].append(row)
    return dict(sorted(groups.items()))


def mixed(rows: Iterable[Row]) -> list[Row]:
    """The rows in an order that depends on their texts alone."""
    return sorted(rows, key=key)


def key(row: Row) -> str:
    return hashlib.sha256(f"{SEED}\n{row['text']}".encode()).hexdigest()


def held_out(splits: Splits) -> set[str]:
    return {row["text"] for split in HELD_OUT for row in splits[split]}


def read(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write(path: Path, rows: Iterable[Row]) -> None:
    """Gzipped JSON lines without a name or a time in the header, so that equal rows give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=0) as packed,
        io.TextIOWrapper(packed, "utf-8", newline="\n") as stream,
    ):
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python infra/sample_data.py RAW_FOLDER data")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
