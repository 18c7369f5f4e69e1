"""The page of a model for somebody who did not train it: what it is for, how good it is, where and how it fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from components.analysis.errors import Confusion, Mistake, cut, joined, measure, shown
from components.analysis.subject import Analysis, Subject, Table
from components.evaluation.baselines.table import compared_with
from components.evaluation.figures import ACCENT, GRID, INK, title_of
from components.evaluation.page import STYLE, picture, section, table
from components.evaluation.versus_baseline import sentence
from components.modeling.kinds import CARRIES_ON

LANGUAGES = {"en": "English", "zh": "Chinese"}
PARTS = {
    "Where it is worst": ("slices",),
    "How sure it is": ("calibration", "selective"),
    "What changes its answers": ("robustness", "fairness", "batches"),
    "Which words decide": ("explanations",),
    "What it may have seen before": ("leakage", "memorisation"),
}
"""Heading -> the analyses that stand under it, in the order of the page."""
SHOWN_ERRORS = 300
SHOWN_LABELS = 40
PHONE = """
body { overflow-wrap: break-word } h3 { font-size: 1rem } svg, img { height: auto } .worst li { margin: .3rem 0 }
blockquote { margin: .4rem 0; color: #5b6773 }
#errors th, #errors td { text-align: left; vertical-align: top }
#errors th, #errors td:last-child { white-space: nowrap }
input, select { font: inherit; padding: .2rem .4rem; margin: 0 .5rem .5rem 0; max-width: 100% }
details { margin: .6rem 0 }
pre { white-space: pre-wrap; font-size: .85rem } mark { background: #fdf0c4 }
@media (max-width: 600px) {
  body { margin: 1rem auto } h1 { font-size: 1.35rem } th, td { padding: .3rem .5rem }
  #errors tr, #errors td { display: block; border: 0; padding: .1rem 0 }
  #errors tr[hidden], #errors tr:first-child { display: none }
  #errors tr { border-bottom: 1px solid #dde3e9; padding: .5rem 0 }
  #errors td[data-of]::before { content: attr(data-of) ": "; color: #5b6773 }
}
"""
SCRIPT = """
const rows = [...document.querySelectorAll('#errors tr')].slice(1), by = id => document.getElementById(id);
function show() {
  const word = by('word').value.toLowerCase(), expected = by('expected').value, answer = by('answer').value;
  let found = 0;
  for (const row of rows) {
    const fits = row.textContent.toLowerCase().includes(word)
      && (!expected || row.cells[1].textContent === expected) && (!answer || row.cells[2].textContent === answer);
    found += fits;
    row.hidden = !fits || (found > 10 && !by('all').checked);
  }
  by('found').textContent = found;
}
for (const id of ['word', 'expected', 'answer', 'all']) by(id).addEventListener('input', show);
show();
"""


@dataclass(frozen=True)
class Told:
    """What the page and the card tell of a model. made: the bundle's manifest; evaluated: the metrics of `evaluate`;
    found: what each analysis says; mistakes: the worst first; rows: of each split."""

    subject: Subject
    made: Mapping[str, Any]
    evaluated: Mapping[str, Any]
    found: Mapping[str, Analysis]
    mistakes: Sequence[Mistake]
    confusions: Sequence[Confusion]
    rows: Mapping[str, int]
    notices: Sequence[str]

    @property
    def scores(self) -> Mapping[str, Any]:
        """Of the candidate, by `evaluate`."""
        found: Mapping[str, Any] = self.evaluated["candidate"]
        return found


def write_model_page(path: Path, told: Told) -> dict[str, Figure]:
    """Write a self-contained page that holds nothing of the machine. Returns its pictures by their names."""
    subject = told.subject
    pictures = {title: figure for one in told.found.values() for title, figure in one.figures.items()}
    labels = label_figure(told.scores.get("per_class", {}))
    if labels is not None:
        pictures = {"F1 of each label": labels, **pictures}
    body = [
        f"<h1>{escape(subject.name)}: what this model does, and where it fails</h1>",
        *_purpose(told),
        section("How good it is", "\n".join([*_quality(told), *_picture(labels, "F1 of each label, the worst first")])),
        *_analyses("Where it is worst", told),
        section("What it confuses", _confusions(told)) if told.confusions else "",
        *(part for heading in [*PARTS][1:] for part in _analyses(heading, told)),
        section("How fast it is", _speed(subject.name)),
        section("What it was made from", _data(told)),
        section(_errors_title(told), _errors(told)),
    ]
    head = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(subject.name)}: the model</title><style>{STYLE}{PHONE}</style>"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *(part for part in body if part)]) + "\n", encoding="utf-8")
    return pictures


def headlines(told: Told) -> list[str]:
    """The first sentence of each analysis: the worst that it has to say."""
    return [as_sentence(one.sentences[0]) for one in told.found.values() if one.sentences]


def as_sentence(told: str) -> str:
    """With a capital, but for names such as nDCG@10, and a full stop."""
    capital = told[0].upper() if told[1:2].islower() or told[1:2] == " " else told[0]
    return f"{capital}{told[1:]}{'' if told.endswith('.') else '.'}"


def in_words(told: Told) -> str:
    """How good the candidate is on the test rows, in a sentence."""
    scores, metric = told.scores, told.subject.task.metrics[0]
    low, high = (scores[f"{metric.name}_{end}"] for end in ("low", "high"))
    first = f"{metric.title} {scores[metric.name]:.3f} ({low:.3f} to {high:.3f})"
    count = f"{told.evaluated['test_rows']:,} rows that it has not learned from"
    if "accuracy" in scores:
        return f"It is right for {scores['accuracy']:.0%} of {count}; {first}."
    return as_sentence(f"{first} on {count}")


def over_baseline(told: Told) -> str:
    """The candidate beside the baseline, in a sentence."""
    task = told.subject.task
    phrase = compared_with(told.evaluated, task).phrase
    return f"Its {sentence(told.evaluated['over_baseline']['candidate'], task, phrase)}."


def label_figure(classes: Mapping[str, Mapping[str, float]]) -> Figure | None:
    """F1 of each label, the worst at the top; of many labels the worst ones."""
    if not classes:
        return None
    worst = sorted(classes.items(), key=lambda one: (one[1]["f1"], one[0]))[:SHOWN_LABELS]
    figure = Figure(figsize=(6.4, 0.3 * len(worst) + 0.9), layout="constrained")
    axes = figure.subplots()
    places = range(len(worst))
    axes.barh(places, [found["f1"] for _, found in worst], color=ACCENT, height=0.6)
    for place, (_, found) in zip(places, worst, strict=True):
        axes.annotate(
            f"{found['f1']:.2f}", (found["f1"], place), (4, 0), textcoords="offset points", va="center", fontsize=9
        )
    axes.set_yticks(places, [f"{label[:40]} ({found['support']:,})" for label, found in worst])
    axes.set_ylim(len(worst) - 0.5, -0.5)
    axes.set_xlim(0, 1.08)
    axes.set_xlabel("F1 on test rows (their number behind the label)")
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelcolor=INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return figure


def _purpose(told: Told) -> list[str]:
    """What the model is for, an example, and the worst of it in short."""
    subject, made = told.subject, told.made
    language = LANGUAGES.get(subject.language, subject.language)
    lines = [
        f"<p>It reads {language} texts of at most {made['max_length']:,} tokens and answers with {_answers(subject)}. "
        f"Kind of task: {escape(subject.task.kind.replace('_', ' '))}. {made['parameters']:,} parameters.</p>",
        *_example(told),
        f"<p><b>{escape(in_words(told))}</b> {escape(over_baseline(told))}</p>",
    ]
    short = headlines(told)
    items = "".join(f"<li>{escape(one)}</li>" for one in short)
    return [*lines, f'<p>What to know before it is used:</p><ul class="worst">{items}</ul>' if short else ""]


def _answers(subject: Subject) -> str:
    task = subject.task
    if task.head in ("sequence", "tokens") and task.output.kind != "real":
        names = ", ".join(f"<b>{escape(label)}</b>" for label in task.labels[:SHOWN_LABELS])
        more = f" and {len(task.labels) - SHOWN_LABELS} more" if len(task.labels) > SHOWN_LABELS else ""
        if task.head == "tokens":
            return f"one of {len(task.labels)} tags for each word: {names}{more}"
        count = "one of" if task.output.kind == "categorical" else "any of"
        return f"{count} {len(task.labels)} labels: {names}{more}"
    said = {
        "sequence": "a number",
        "spans": "a span of the context",
        "choices": "one of the choices that it is given",
        "embedding": f"the nearest of {len(task.passages):,} answers",
    }
    return said.get(task.head, "a text")


def _example(told: Told) -> list[str]:
    """A short row that is answered right, if there is any."""
    subject, wrong = told.subject, {one.place for one in told.mistakes}
    right = [place for place in range(len(subject.test.texts)) if place not in wrong]
    if not right or subject.task.head == CARRIES_ON:
        return []
    texts = [joined(subject.test.texts[place]) for place in right]
    place, text = min(zip(right, texts, strict=True), key=lambda one: (abs(len(one[1]) - 120), one[0]))
    answer = shown(subject.task, subject.columns[place], subject.task.values(subject.answers)[place])
    return [f"<p>For example: <i>{escape(cut(text))}</i> → <b>{escape(answer)}</b></p>"]


def _quality(told: Told) -> list[str]:
    """The candidate between its teacher and what has to be beaten."""
    task, metrics = told.subject.task, told.evaluated
    wanted = ("candidate", "teacher", "without_pretraining", metrics.get("to_beat", "baseline"))
    header = ["", *(cell for metric in task.metrics for cell in (metric.title, "interval")), "MB"]
    rows = []
    for name in (name for name in wanted if name in metrics):
        score, size = metrics[name], metrics["size_megabytes"].get(name)
        cells = [
            cell
            for metric in task.metrics
            for cell in (
                f"{score[metric.name]:.4f}",
                f"{score[f'{metric.name}_low']:.3f} – {score[f'{metric.name}_high']:.3f}",
            )
        ]
        title = "this model" if name == "candidate" else title_of(name, task)
        rows.append((title, *cells, "" if size is None else f"{size:.2f}"))
    name = escape(told.subject.name)
    return [
        _table(Table(tuple(header), tuple(rows))),
        f'<p class="note">On the same {metrics["test_rows"]:,} test rows, with bootstrap intervals. Every rung and '
        f'what each step bought: <a href="../../evaluate/{name}/index.html">reports/evaluate/{name}</a>. A release '
        f'sets it beside the champion: <a href="../../release/{name}/index.html">reports/release/{name}</a>, once '
        "there is one.</p>",
    ]


def _analyses(heading: str, told: Told) -> list[str]:
    """A section of what some analyses say; nothing where none of them fits the kind."""
    parts_of = [_analysis(told.found[name]) for name in PARTS[heading] if name in told.found]
    return [section(heading, "\n".join(parts_of))] if parts_of else []


def _analysis(one: Analysis) -> str:
    lines = [f"<p>{escape(as_sentence(told))}</p>" for told in one.sentences[:1]]
    rest = "".join(f"<li>{escape(as_sentence(told))}</li>" for told in one.sentences[1:])
    lines += [f"<ul>{rest}</ul>"] if rest else []
    lines += [picture(figure, title) for title, figure in one.figures.items()]
    lines += [_folded(title, _table(each), len(each.rows)) for title, each in one.tables.items()]
    lines += [f"<h3>{escape(title)}</h3>\n{fragment}" for title, fragment in one.fragments.items()]
    return "\n".join(lines)


def _folded(title: str, content: str, rows: int) -> str:
    opened = " open" if rows <= 12 else ""
    return f"<details{opened}><summary>{escape(title)}</summary>\n{content}\n</details>"


def _picture(figure: Figure | None, description: str) -> list[str]:
    return [] if figure is None else [picture(figure, description)]


def _confusions(told: Told) -> str:
    lines = []
    for pair in told.confusions:
        rows = f"{pair.rows:,} row" + ("s" if pair.rows > 1 else "")
        lines.append(
            f"<p><b>{escape(pair.expected)}</b> taken for <b>{escape(pair.answer)}</b>: {rows}, for example</p>"
        )
        lines += [f"<blockquote>{escape(cut(one.text))} ({one.degree:.0%} sure)</blockquote>" for one in pair.examples]
    return "\n".join(lines)


def _speed(name: str) -> str:
    shown_name = escape(name)
    return (
        "<p>How fast it is depends on the machine, so it is measured where it is released: "
        f'<a href="../../speed/{shown_name}/index.html">reports/speed/{shown_name}</a>, once there is a release.</p>'
    )


def _data(told: Told) -> str:
    splits = tuple((split, rows) for split, rows in told.rows.items())
    sources = tuple((source, licence) for source, licence in told.made.get("licences", {}).items())
    lines = [
        f"<p>Labelled rows, in <code>data/tasks/{escape(told.subject.name)}</code>:</p>",
        _table(Table(("split", "rows"), splits)),
    ]
    if sources:
        lines += [
            "<p>Texts without labels, that it was pretrained on:</p>",
            _table(Table(("source", "licence"), sources)),
        ]
    lines += [_folded("The sources in their own words", f"<pre>{escape(text)}</pre>", 99) for text in told.notices]
    return "\n".join(lines)


def _errors_title(told: Told) -> str:
    return "Its rows, the worst first" if told.subject.task.head == CARRIES_ON else "Its errors, the worst first"


def _errors(told: Told) -> str:
    """A table, and a few lines of JavaScript that filter it; without them all of it is there."""
    task = told.subject.task
    if not told.mistakes:
        return f"<p>Every one of {len(told.subject.test.texts):,} test rows is answered right.</p>"
    sure = told.subject.probabilities is not None
    header = ("sure" if sure else _loss(told), "expected", "answer", "text", "row")
    found = told.mistakes[:SHOWN_ERRORS]
    lines = [
        "<tr>"
        + f'<td data-of="{escape(header[0])}">{f"{one.degree:.0%}" if sure else f"{one.degree:.3g}"}</td>'
        + "".join(
            f'<td data-of="{name}">{escape(value)}</td>'
            for name, value in (("expected", cut(one.expected)), ("answer", cut(one.answer)))
        )
        + f"<td>{escape(cut(one.text))}</td><td>{escape(one.id)}</td></tr>"
        for one in found
    ]
    choices = [
        _choice("expected", {cut(one.expected) for one in found}),
        _choice("answer", {cut(one.answer) for one in found}),
    ]
    few = len(told.mistakes) > SHOWN_ERRORS
    order = "most confidently wrong" if sure else "furthest off"
    unit = "" if sure or measure(task).own_unit else ", 0 is perfect"
    return "\n".join(
        [
            f"<p>{len(told.mistakes):,} of {len(told.subject.test.texts):,} test rows, the {order} first{unit}"
            f"{f'; the first {SHOWN_ERRORS} are here' if few else ''}.</p>",
            '<p><input id="word" placeholder="a word or a label" aria-label="filter">',
            *choices,
            '<label><input id="all" type="checkbox">all <span id="found"></span>, not ten</label></p>',
            '<table id="errors">',
            "<tr>" + "".join(f"<th>{escape(name)}</th>" for name in header) + "</tr>",
            *lines,
            "</table>",
            f"<script>{SCRIPT}</script>",
        ]
    )


def _loss(told: Told) -> str:
    metric = measure(told.subject.task)
    return f"1 − {metric.title}" if metric.larger_is_better else metric.title


def _choice(name: str, values: set[str]) -> str:
    """To choose one of the values; hidden where nearly every row has its own."""
    options = "".join(f"<option>{escape(value)}</option>" for value in sorted(values))
    hidden = " hidden" if len(values) > SHOWN_LABELS else ""
    return f'<select id="{name}"{hidden}><option value="">{name}: any</option>{"" if hidden else options}</select>'


def _table(given: Table) -> str:
    return table(given.header, [[cell_text(cell) for cell in row] for row in given.rows])


def cell_text(cell: str | float) -> str:
    """A cell as it is shown: counts whole, other numbers with three digits behind the point."""
    if isinstance(cell, str):
        return cell
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:.3f}"
