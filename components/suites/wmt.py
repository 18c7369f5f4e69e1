"""Translations of WMT 2014 and 2016: news, scored by BLEU and chrF."""

from __future__ import annotations

from components.suites.formats import parallel
from components.suites.scores import by_translation
from components.suites.suite import File, Part, Suite, SuiteTask


def _task(year: str, config: str, source: str, target: str) -> SuiteTask:
    name = f"{source}-{target}"
    read = parallel((source, target))

    def files(*stems: str) -> tuple[File, ...]:
        return tuple(File(f"{stem}.{source}+{stem}.{target}", read) for stem in stems)

    before = str(int(year) - 1)
    return SuiteTask(
        name=name,
        hub=f"wmt/wmt{year[-2:]}",
        config=config,
        folders=(name, config),
        files={
            "train": files("train"),
            "validation": files("valid", "validation", "dev", f"newstest{before}", f"newsdev{year}"),
            "test": files("test", f"newstest{year}"),
        },
        kind={"kind": "translation", "language": "en", "max_length": 128},
        inputs=lambda raw: {"text": raw["translation"][source]},
        target=lambda raw: raw["translation"][target],
        score=by_translation,
        parts=(Part(name, "test"),),
        validation="validation",
    )


def _suite(year: str, *tasks: SuiteTask) -> Suite:
    short = f"wmt{year[-2:]}"
    return Suite(short, f"WMT {year}", f"https://www.statmt.org/{short}/translation-task.html", tasks)


WMT14 = _suite("2014", _task("2014", "de-en", "en", "de"), _task("2014", "fr-en", "en", "fr"))
WMT16 = _suite("2016", _task("2016", "de-en", "en", "de"), _task("2016", "ro-en", "en", "ro"))
