"""The curation as one page to read: where the rows went, what each rule took, how long the documents are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from components.corpus.documents import SPLITS
from components.corpus.finished_block import LENGTHS
from components.corpus.ledger import Ledger
from components.corpus.sankey import sankey

STYLE = """
body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; color: #1f2933 }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } h3 { font-size: 1rem; margin-bottom: .2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #dde3e9; text-align: left; vertical-align: top }
td.place { white-space: nowrap; color: #5b6773 } td { overflow-wrap: anywhere } svg { width: 100% }
"""
BARS_WIDE, BARS_TALL = 640, 110
COLOURS = {"en": "#0f6fc5", "zh": "#d1495b"}


def write_report(folder: Path, ledger: Ledger) -> None:
    """Write folder/index.html, self-contained."""
    share = ledger.documents / max(ledger.read, 1)
    parts = [
        f"<h1>Curation: {ledger.documents:,} of {ledger.read:,} rows kept ({share:.1%})</h1>",
        sankey(ledger.flows, [*SPLITS, *ledger.rejected]),
        "<h2>What was taken out</h2>",
        *(_samples(ledger, reason, count) for reason, count in ledger.rejected.items()),
        "<h2>What was changed</h2>",
        *(_samples(ledger, change, count) for change, count in _most_first(ledger.changes)),
        "<h2>Documents kept, by language</h2>",
        _languages(ledger),
        "<h2>Lengths in characters</h2>",
        *(_lengths(language, counts) for language, counts in sorted(ledger.lengths.items(), key=_most_documents_first)),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Curation</title><style>{STYLE}</style>'
    (folder / "index.html").write_text("\n".join([head, *parts]) + "\n", encoding="utf-8")


def _most_documents_first(entry: tuple[str, np.ndarray]) -> tuple[int, str]:
    return -int(entry[1].sum()), entry[0]


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names and counts; equal counts in the order of their names, so that the page repeats."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


def _samples(ledger: Ledger, name: str, count: int) -> str:
    rows = [
        (f"{row['file']}:{row['line']}", row["text"] + (f"\n= {row['same_as']}" if "same_as" in row else ""))
        for row in ledger.samples.get(name, [])
    ]
    return f"<h3>{escape(name)}: {count:,}</h3>\n{_table(rows)}"


def _table(rows: Iterable[Sequence[str]]) -> str:
    lines = [f'<tr><td class="place">{escape(place)}</td><td>{escape(text)}</td></tr>' for place, text in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _languages(ledger: Ledger) -> str:
    rows = [
        (language, f"{count:,} documents, {ledger.characters[language]:,} characters")
        for language, count in _most_first(ledger.languages)[:20]
    ]
    return _table(rows)


def _lengths(language: str, counts: np.ndarray) -> str:
    """A histogram over the classes that have documents."""
    used = np.flatnonzero(counts)
    classes = range(used[0], used[-1] + 1) if len(used) else range(0)
    wide = BARS_WIDE / max(len(classes), 1)
    colour = COLOURS.get(language, "#00798c")
    bars = []
    for place, one in enumerate(classes):
        tall = BARS_TALL * counts[one] / counts.max()
        box = f'x="{place * wide:.1f}" y="{BARS_TALL - tall:.1f}" width="{wide - 2:.1f}" height="{tall:.1f}"'
        title = f"{LENGTHS[one]:,.0f} to {LENGTHS[one + 1]:,.0f}: {counts[one]:,}"
        bars.append(f'<rect {box} fill="{colour}"><title>{title}</title></rect>')
        if place % 4 == 0:
            label = f"{LENGTHS[one]:,.0f}"
            bars.append(f'<text x="{place * wide:.1f}" y="{BARS_TALL + 16}" font-size="11">{label}</text>')
    size = f"0 0 {BARS_WIDE} {BARS_TALL + 22}"
    return f'<h3>{escape(language)}</h3>\n<svg viewBox="{size}" style="max-width:40rem">{"".join(bars)}</svg>'
