"""Summaries of news: CNN/DailyMail (Hermann 2015, See 2017) and XSum (Narayan 2018), scored by ROUGE."""

from __future__ import annotations

from components.suites.formats import jsonl, parallel
from components.suites.scores import by_rouge
from components.suites.suite import File, Part, Raw, Suite, SuiteTask


def _suite(name: str, title: str, hub: str, config: str | None, source: str, columns: tuple[str, str]) -> Suite:
    """Rows in JSONL with the hub's columns, or in the two files a split in which others pass them on."""
    text, summary = columns
    two = parallel(columns)

    def paired(one: str) -> File:
        return File(f"{one}.source+{one}.target", lambda *paths: [row["translation"] for row in two(*paths)])

    def files(*stems: str) -> tuple[File, ...]:
        return tuple(file for stem in stems for file in (File(f"{stem}.jsonl", jsonl), paired(stem)))

    def inputs(raw: Raw) -> dict[str, str]:
        return {"text": raw[text]}

    task = SuiteTask(
        name=name,
        hub=hub,
        config=config,
        folders=(name, title),
        files={"train": files("train"), "validation": files("validation", "val"), "test": files("test")},
        kind={"kind": "summarization", "language": "en", "max_length": 512},
        inputs=inputs,
        target=lambda raw: raw[summary],
        score=by_rouge,
        parts=(Part(title, "test"),),
        validation="validation",
    )
    return Suite(name, title, source, (task,))


CNN_DAILYMAIL = _suite(
    "cnn_dailymail",
    "CNN/DailyMail",
    "abisee/cnn_dailymail",
    "3.0.0",
    "https://github.com/abisee/cnn-dailymail",
    ("article", "highlights"),
)
XSUM = _suite(
    "xsum", "XSum", "EdinburghNLP/xsum", None, "https://github.com/EdinburghNLP/XSum", ("document", "summary")
)
