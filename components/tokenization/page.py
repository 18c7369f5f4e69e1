"""The tokenizer report as one HTML page without scripts or network requests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from components.tokenization.report import ROUND_TRIPS, SAMPLE, SHOWN, Findings, Piece

STYLE = """
body { font: 16px/1.5 system-ui, "Noto Sans CJK SC", sans-serif; color: #1f2933 }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.15rem; margin-top: 2.2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #dde3e9; text-align: right } th { font-weight: 600 }
th:first-child, td:first-child { text-align: left }
p.note { color: #5b6773; font-size: .9rem } .split { line-height: 2; white-space: pre-wrap }
.split span, code { border-radius: .2rem; padding: .1rem .15rem; white-space: pre-wrap }
.split span:nth-child(odd) { background: #dcebff } .split span:nth-child(even) { background: #fdeecb }
code { background: #eef1f4; margin: 0 .3rem .3rem 0; display: inline-block }
"""


def write_page(path: Path, found: Findings) -> None:
    """Write a self-contained HTML page."""
    metrics = found.metrics()
    rows = [
        [
            language,
            f"{found.characters[language]:,}",
            f"{found.tokens[language]:,}",
            f"{metrics['characters_per_token'][language]:.3f}",
            f"{metrics['tokens_per_character'][language]:.3f}",
        ]
        for language in metrics["characters_per_token"]
    ]
    parts = [
        f"<h1>Tokenizer of {found.size:,} entries</h1>",
        f'<p class="note">Measured over at most {SAMPLE:,} characters of each split.</p>',
        "<h2>Fertility on validation documents</h2>",
        _table(["language", "characters", "tokens", "characters a token", "tokens a character"], rows),
        "<h2>How texts are split</h2>",
        '<p class="note">A colour a token; · is a later part of one character.</p>',
        *(f"<p class='split'><b>{escape(language)}</b> {_split(pieces)}</p>" for language, pieces in found.examples),
        _listed("Unused: in no document of the sample", found.unused),
        _listed("Unreachable: no text is encoded to them", found.unreachable),
        _listed("Longest", found.longest, len(found.longest)),
        f"<h2>Texts that do not come back: {len(found.failures):,} of {found.round_trips:,}</h2>",
        f'<p class="note">Of the first {ROUND_TRIPS:,} validation documents or so, encoded and decoded.</p>',
        _table(["document", ""], found.failures[:SHOWN]) if found.failures else "",
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    head = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Tokenizer</title><style>{STYLE}</style>'
    path.write_text("\n".join([head, *parts]) + "\n", encoding="utf-8")


def _split(pieces: Iterable[Piece]) -> str:
    return "".join(
        f'<span title="{escape(token)}">{escape(_visible(shown)) if shown else "·"}</span>' for token, shown in pieces
    )


def _visible(text: str) -> str:
    """Shows line ends and tabs as visible signs."""
    return text.replace("\n", "⏎").replace("\t", "⇥")


def _listed(title: str, tokens: Sequence[str], count: int | None = None) -> str:
    shown = "".join(f"<code>{escape(_visible(token))}</code>" for token in tokens[:SHOWN])
    more = f" … and {len(tokens) - SHOWN:,} more" if len(tokens) > SHOWN else ""
    heading = title if count is not None else f"{title}: {len(tokens):,}"
    return f"<h2>{escape(heading)}</h2>\n<p>{shown}{more}</p>"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows]
    return "<table>\n" + "\n".join(lines) + "\n</table>"
