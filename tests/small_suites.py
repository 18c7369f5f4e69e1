"""Small copies of benchmark suites in their published formats: file names, columns and quirks are the sets' own, the
sentences are ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.small_artifacts import WORDS
from tests.small_suite_rows import COUNTS, jsonl, nli, rows, sea, tsv
from tests.small_superglue import superglue


def small_suite(name: str, folder: Path) -> Path:
    """The files of a suite below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    WRITERS[name](folder)
    return folder


def glue(folder: Path) -> None:
    for split, name in (("train", "train"), ("validation", "dev")):
        given = rows(split)
        tsv(folder / "CoLA" / f"{name}.tsv", (("own", sea(p), "*" * (1 - sea(p)), one) for _, one, _, p in given))
        tsv(folder / "SST-2" / f"{name}.tsv", ((one, sea(p)) for _, one, _, p in given), "sentence\tlabel")
        tsv(
            folder / "MRPC" / f"{name}.tsv",
            ((sea(p), n, n + 1, one, two) for n, one, two, p in given),
            "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String",
        )
        tsv(
            folder / "STS-B" / f"{name}.tsv",
            ((n, "own", "a", 2026, n, "b", "c", one, two, f"{n % 6:.3f}") for n, one, two, _ in given),
            "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore",
        )
        tsv(
            folder / "QQP" / f"{name}.tsv",
            [*((n, n, n + 1, one, two, sea(p)) for n, one, two, p in given), ("99", "cut short")],
            "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate",
        )
        for title in ("QNLI", "RTE"):
            header = "index\tquestion\tsentence\tlabel" if title == "QNLI" else "index\tsentence1\tsentence2\tlabel"
            labels = ("not_entailment", "entailment")
            tsv(folder / title / f"{name}.tsv", ((n, one, two, labels[sea(p)]) for n, one, two, p in given), header)
        tsv(
            folder / "WNLI" / f"{name}.tsv",
            ((n, one, two, sea(p)) for n, one, two, p in given),
            "index\tsentence1\tsentence2\tlabel",
        )
    parses = "\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse"
    start = f"index\tpromptID\tpairID\tgenre{parses}\tsentence1\tsentence2"
    for split, name, labels in (
        ("train", "train", ("label1",)),
        ("validation", "dev_matched", tuple(f"label{n}" for n in range(1, 6))),
        ("validation", "dev_mismatched", tuple(f"label{n}" for n in range(1, 6))),
        ("test", "test_matched", ()),
        ("test", "test_mismatched", ()),
    ):
        columns = "\t".join([start, *labels, *(["gold_label"] if labels else [])])
        answers = [[nli(n, p)] * (len(labels) + 1) if labels else [] for n, _, _, p in rows(split)]
        tsv(
            folder / "MNLI" / f"{name}.tsv",
            ((n, n, f"{n}e", "own", "(", "(", "(", "(", one, two, *answers[n]) for n, one, two, _ in rows(split)),
            columns,
        )
    given = rows("test")
    for title in ("CoLA", "SST-2"):
        tsv(folder / title / "test.tsv", ((n, one) for n, one, _, _ in given), "index\tsentence")
    tsv(
        folder / "MRPC" / "test.tsv",
        ((n, n, n + 1, one, two) for n, one, two, _ in given),
        "index\t#1 ID\t#2 ID\t#1 String\t#2 String",
    )
    tsv(
        folder / "STS-B" / "test.tsv",
        ((n, "own", "a", 2026, n, "b", "c", one, two) for n, one, two, _ in given),
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2",
    )
    tsv(folder / "QQP" / "test.tsv", ((n, one, two) for n, one, two, _ in given), "id\tquestion1\tquestion2")
    tsv(folder / "QNLI" / "test.tsv", ((n, one, two) for n, one, two, _ in given), "index\tquestion\tsentence")
    for path in ("RTE/test.tsv", "WNLI/test.tsv", "diagnostic/diagnostic.tsv"):
        tsv(folder / path, ((n, one, two) for n, one, two, _ in given), "index\tsentence1\tsentence2")


def squad(folder: Path, version: str = "1.1", unanswerable: bool = False) -> None:
    for split, name in (("train", "train"), ("validation", "dev")):
        articles = []
        for n, one, _, _ in rows(split):
            nothing = unanswerable and n % 3 == 0
            word = one.split()[1].rstrip(".")
            answer = {"text": word, "answer_start": one.index(f" {word}") + 1}
            question: dict[str, Any] = {"id": f"{split}{n}", "question": "What comes first?"}
            question |= {"answers": [] if nothing else [answer]}
            question |= {"is_impossible": nothing} if unanswerable else {}
            articles.append({"title": f"Own {n}", "paragraphs": [{"context": one, "qas": [question]}]})
        path = folder / f"{name}-v{version}.json"
        path.write_text(json.dumps({"version": version, "data": articles}), encoding="utf-8")


def squad_v2(folder: Path) -> None:
    squad(folder, "2.0", unanswerable=True)


def conll2003(folder: Path) -> None:
    """Tags as in the published files: an entity begins with `I-`, but right behind another of its type."""
    for split, name in (("train", "eng.train"), ("validation", "eng.testa"), ("test", "eng.testb")):
        lines = ["-DOCSTART- -X- -X- O", ""]
        for _, one, _, _ in rows(split):
            before = ""
            for word in [*one.rstrip(".").split(), "U.S.", "."]:
                kind = next((k for k in ("sea", "city") if word in WORDS[k]), "")
                prefix = "B" if kind and kind == before else "I"
                lines.append(f"{word} NN I-NP {f'{prefix}-{kind.upper()}' if kind else 'O'}")
                before = kind
            lines.append("")
        (folder / name).write_text("\n".join(lines), encoding="utf-8")


def wmt16(folder: Path) -> None:
    for split, name in (("train", "train"), ("validation", "newstest2015"), ("test", "newstest2016")):
        for source, target in (("en", "de"), ("en", "ro")):
            there = folder / f"{source}-{target}"
            there.mkdir(exist_ok=True)
            for number, language in ((1, source), (2, target)):
                text = "".join(f"{row[number]}\n" for row in rows(split))
                name_here = name if target == "de" or name != "newstest2015" else "newsdev2016"
                (there / f"{name_here}.{language}").write_text(text, encoding="utf-8")


def wmt14(folder: Path) -> None:
    for split, name in (("train", "train"), ("validation", "newstest2013"), ("test", "newstest2014")):
        for source, target in (("en", "de"), ("en", "fr")):
            there = folder / f"{source}-{target}"
            there.mkdir(exist_ok=True)
            for number, language in ((1, source), (2, target)):
                text = "".join(f"{row[number]}\n" for row in rows(split))
                (there / f"{name}.{language}").write_text(text, encoding="utf-8")


def clue(folder: Path) -> None:
    for split, name in (("train", "train"), ("validation", "dev"), ("test", "test")):
        given = [(n, f"此處有{one}", f"那邊是{two}", p) for n, one, two, p in rows(split)]
        hidden = split == "test"

        def label(value: object, hidden: bool = hidden) -> dict[str, Any]:
            return {} if hidden else {"label": value}

        jsonl(
            folder / "afqmc" / f"{name}.json",
            ({"sentence1": a, "sentence2": b, "id": n, **label(str(sea(p)))} for n, a, b, p in given),
        )
        news = {"sea": "101", "field": "108", "city": "116"}
        jsonl(
            folder / "tnews" / f"{name}.json",
            ({"id": n, "sentence": a, "keywords": "", **label(news[p])} for n, a, _, p in given),
        )
        jsonl(
            folder / "iflytek" / f"{name}.json",
            ({"id": n, "sentence": a, **label({"sea": "0", "field": "17", "city": "118"}[p])} for n, a, _, p in given),
        )
        for title in ("cmnli", "ocnli"):
            jsonl(
                folder / title / f"{name}.json",
                ({"id": n, "sentence1": a, "sentence2": b, **label(nli(n, p) if n else "-")} for n, a, b, p in given),
            )
        jsonl(
            folder / "cluewsc2020" / f"{name}.json",
            (
                {
                    "target": {"span1_text": "此處", "span1_index": 0, "span2_text": "有", "span2_index": 2},
                    "idx": n,
                    "text": a,
                    **label(("false", "true")[sea(p)]),
                }
                for n, a, _, p in given
            ),
        )
        jsonl(
            folder / "csl" / f"{name}.json",
            ({"id": n, "abst": a, "keyword": [WORDS[p][-1], f"天{n}"], **label(str(sea(p)))} for n, a, _, p in given),
        )
        articles = [
            {
                "title": f"{n}",
                "paragraphs": [
                    {
                        "context": a,
                        "qas": [
                            {
                                "id": f"{split}{n}",
                                "question": "有什麼？",
                                "answers": [] if hidden else [{"text": a[3:8].strip(), "answer_start": 3}],
                            }
                        ],
                    }
                ],
            }
            for n, a, _, _ in given
        ]
        (folder / "cmrc2018").mkdir(exist_ok=True)
        (folder / "cmrc2018" / f"{name}.json").write_text(json.dumps({"data": articles}), encoding="utf-8")
        choices = [
            [
                [a, b],
                [
                    {
                        "question": "是哪裡？",
                        "choice": [f"海{n}", f"田{n}", f"城{n}"],
                        **({} if hidden else {"answer": f"海{n}"}),
                    }
                ],
                f"{n}",
            ]
            for n, a, b, _ in given
        ]
        (folder / "c3").mkdir(exist_ok=True)
        file = "test1.0.json" if hidden else f"m-{name}.json"
        (folder / "c3" / file).write_text(json.dumps(choices, ensure_ascii=False), encoding="utf-8")


def cnn_dailymail(folder: Path) -> None:
    for split in COUNTS:
        jsonl(
            folder / f"{split}.jsonl",
            ({"article": f"{one} {two}", "highlights": one, "id": f"{n}"} for n, one, two, _ in rows(split)),
        )


def xsum(folder: Path) -> None:
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        for ending, number in (("source", 1), ("target", 2)):
            text = "".join(f"{row[number]}\n" for row in rows(split))
            (folder / f"{name}.{ending}").write_text(text, encoding="utf-8")


WRITERS: dict[str, Callable[[Path], None]] = {
    "glue": glue,
    "superglue": superglue,
    "squad": squad,
    "squad_v2": squad_v2,
    "conll2003": conll2003,
    "wmt14": wmt14,
    "wmt16": wmt16,
    "clue": clue,
    "cnn_dailymail": cnn_dailymail,
    "xsum": xsum,
}
