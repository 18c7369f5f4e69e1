"""The curation report: the outcome of all rows, the rows that each rule rejected, the lengths of the documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from components.corpus.counts import CorpusCounts
from components.corpus.documents import SPLITS
from components.corpus.labelled import Labelled
from components.corpus.sankey import sankey
from components.corpus.write_block import LENGTHS

STYLE = """
body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; color: #1f2933 }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } h3 { font-size: 1rem; margin-bottom: .2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #dde3e9; text-align: left; vertical-align: top }
h4 { font-size: .9rem; margin: .8rem 0 .2rem } td.number, th.number { text-align: right }
td.place { white-space: nowrap; color: #5b6773 } td { overflow-wrap: anywhere } svg { width: 100% }
"""
TASK_SPLITS = ("train", "validation", "test")
BARS_WIDE, BARS_TALL = 640, 110
COLOURS = {"en": "#0f6fc5", "zh": "#d1495b"}


def write_report(folder: Path, corpus: CorpusCounts, tasks: Mapping[str, Labelled], remarks: Sequence[str]) -> None:
    """Write folder/index.html, self-contained. `remarks`: lines on the corpus as a whole."""
    share = corpus.documents / max(corpus.read, 1)
    parts = [
        "<h1>Curation</h1>",
        f"<p>Corpus: {corpus.documents:,} of {corpus.read:,} rows kept as documents ({share:.1%}).</p>",
        *(f"<p>{escape(name)}: {escape(task.account())}.</p>" for name, task in tasks.items()),
        _list(remarks),
        *(["<h2>Labelled rows</h2>", _task_flows(tasks)] if tasks else []),
        *(_task(name, task) for name, task in tasks.items()),
        "<h2>Rows of the corpus</h2>",
        sankey(corpus.flows, [*SPLITS, *corpus.rejected]),
        "<h2>What was taken out</h2>",
        *(_samples(corpus, reason, count) for reason, count in corpus.rejected.items()),
        "<h2>What was changed</h2>",
        *(_samples(corpus, change, count) for change, count in _most_first(corpus.changes)),
        "<h2>Documents kept, by language</h2>",
        _languages(corpus),
        "<h2>Lengths in characters</h2>",
        *(_lengths(language, counts) for language, counts in sorted(corpus.lengths.items(), key=_most_documents_first)),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Curation</title><style>{STYLE}</style>'
    (folder / "index.html").write_text("\n".join([head, *parts]) + "\n", encoding="utf-8")


def _task_flows(tasks: Mapping[str, Labelled]) -> str:
    """The diagram of all tasks: rows by task and outcome."""
    flows: Counter[tuple[str, str]] = Counter()
    reasons: Counter[str] = Counter()
    for name, task in tasks.items():
        flows.update({(name, split): count for split, count in task.kept.items()})
        flows.update({(name, reason): count for reason, count in task.quarantined.items()})
        reasons.update(task.quarantined)
    return sankey(flows, [*TASK_SPLITS, *(reason for reason, _ in _most_first(reasons))])


def _task(name: str, task: Labelled) -> str:
    """A table with one row for each split and one column for each reason, notes on the task, and some of its rejected
    rows.
    """
    reasons = list(task.quarantined)
    head = "".join(f'<th class="number">{escape(word)}</th>' for word in ("read", "kept", *reasons))
    lines = []
    for split in (*TASK_SPLITS, "all"):
        chosen = TASK_SPLITS if split == "all" else (split,)
        counts = [sum(counted[one] for one in chosen) for counted in (task.read, task.kept)]
        counts += [sum(task.rejected[one].get(reason, 0) for one in chosen) for reason in reasons]
        cells = "".join(f'<td class="number">{count:,}</td>' for count in counts)
        lines.append(f'<tr><td class="place">{split}</td>{cells}</tr>')
    shown = [f"<h4>{escape(reason)}</h4>\n{_rows_table(task.samples.get(reason, []))}" for reason in reasons]
    table = "<table>\n<tr><th></th>" + head + "</tr>\n" + "\n".join(lines) + "\n</table>"
    return "\n".join([f"<h3>{escape(name)}</h3>", table, _list(task.remarks()), *shown])


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>" if lines else ""


def _most_documents_first(entry: tuple[str, np.ndarray]) -> tuple[int, str]:
    return -int(entry[1].sum()), entry[0]


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names and counts; equal counts sorted by name, so that the page is reproducible."""
    return sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))


def _samples(corpus: CorpusCounts, name: str, count: int) -> str:
    return f"<h3>{escape(name)}: {count:,}</h3>\n{_rows_table(corpus.samples.get(name, []))}"


def _rows_table(rows: Sequence[Mapping[str, Any]]) -> str:
    return _table(
        (f"{row['file']}:{row['line']}", row["text"] + (f"\n= {row['same_as']}" if "same_as" in row else ""))
        for row in rows
    )


def _table(rows: Iterable[Sequence[str]]) -> str:
    lines = [f'<tr><td class="place">{escape(place)}</td><td>{escape(text)}</td></tr>' for place, text in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _languages(corpus: CorpusCounts) -> str:
    rows = [
        (language, f"{count:,} documents, {corpus.characters[language]:,} characters")
        for language, count in _most_first(corpus.languages)[:20]
    ]
    return _table(rows)


def _lengths(language: str, counts: np.ndarray) -> str:
    """A histogram of the classes that have documents."""
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
