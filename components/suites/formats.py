"""Files of benchmark suites in their published formats, as rows with the columns that the hub has."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from components.errors import DataError
from components.suites.suite import Raw


def tsv(columns: Mapping[str, str | int], header: bool = True, broken: bool = False) -> Callable[[Path], list[Raw]]:
    """A file of tab-separated columns without quoting, as GLUE's are. `columns`: column of the hub -> its name in the
    header, or its place from 0; one that the file lacks is left out, as labels of test rows are. `broken`: lines with
    too few columns are passed over: QQP is published with some."""

    def read(path: Path) -> list[Raw]:
        lines = _lines(path)
        names = lines.pop(0).split("\t") if header and lines else []
        # The place of one column of another file's header may be beyond this one's.
        places = {
            ours: theirs if isinstance(theirs, int) else names.index(theirs)
            for ours, theirs in columns.items()
            if isinstance(theirs, int) or theirs in names
        }
        if not places:
            raise DataError(
                f"{path}:1: none of the columns {', '.join(map(str, columns.values()))}", "is the header there?"
            )
        rows = []
        for number, line in enumerate(lines, 2 if header else 1):
            cells = line.split("\t")
            if len(cells) <= max(places.values()):
                if broken:
                    continue
                raise DataError(f"{path}:{number}: {len(cells)} columns, too few", "is the file whole?")
            rows.append({"idx": number - (2 if header else 1)} | {name: cells[at] for name, at in places.items()})
        return rows

    return read


def jsonl(path: Path) -> list[Raw]:
    """A JSON object a line, as SuperGLUE's and CLUE's files have; or one list of objects."""
    text = path.read_text(encoding="utf-8-sig")
    if text.lstrip().startswith("["):
        return list(_json(path, text))
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            rows.append(_json(path, line, number))
    return rows


def squad(path: Path) -> list[Raw]:
    """SQuAD's articles with paragraphs with questions, 1.1 and 2.0 (Rajpurkar 2016, 2018); CMRC 2018's are the same."""
    found = []
    for article in _json(path, path.read_text(encoding="utf-8-sig"))["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                answers = [] if question.get("is_impossible") else question.get("answers", [])
                columns = {name: [one[name] for one in answers] for name in ("text", "answer_start")}
                found.append(
                    {
                        "id": str(question["id"]),
                        "title": article.get("title", ""),
                        "question": question["question"],
                        "context": paragraph["context"],
                        "answers": columns,
                    }
                )
    return found


def conll(path: Path) -> list[Raw]:
    """Columns with a line a token and a blank line between sentences, the entity's tag last (Tjong Kim Sang 2003)."""
    rows: list[Raw] = []
    tokens: list[str] = []
    tags: list[str] = []
    for line in [*_lines(path), ""]:
        cells = line.split()
        if cells and cells[0] != "-DOCSTART-":
            tokens.append(cells[0])
            tags.append(cells[-1])
        elif tokens:
            rows.append({"tokens": tokens, "ner_tags": tags})
            tokens, tags = [], []
    return rows


def parallel(languages: tuple[str, str]) -> Callable[[Path, Path], list[Raw]]:
    """Two files side by side, a sentence a line, as WMT publishes training texts; test sets without SGML likewise."""

    def read(source: Path, target: Path) -> list[Raw]:
        one, other = _lines(source), _lines(target)
        if len(one) != len(other):
            raise DataError(f"{source.name} has {len(one):,} lines, {target.name} {len(other):,}", "are both whole?")
        return [{"translation": dict(zip(languages, pair, strict=True))} for pair in zip(one, other, strict=True)]

    return read


def parquet(paths: list[Path]) -> list[Raw]:
    """The shards of a split as the hub stores them; labels by their names where the file says them."""
    from datasets import Dataset  # late: it takes a second
    from datasets.exceptions import DatasetGenerationError

    try:
        loaded = Dataset.from_parquet([str(path) for path in paths])
    except (OSError, ValueError, DatasetGenerationError) as error:
        raise DataError(f"{paths[0]}: not a readable parquet file: {str(error)[:100]}", "fetch it again") from None
    return named_rows(loaded)


def named_rows(loaded: Any) -> list[Raw]:
    """Rows of a data set of `datasets`, tags by their names; single labels stay numbers, -1 where they are hidden."""
    tags = {
        column: names for column, feature in (loaded.features or {}).items() if (names := _names(feature)) is not None
    }
    return [{**row, **{name: [names[one] for one in row[name]] for name, names in tags.items()}} for row in loaded]


def _names(feature: Any) -> list[str] | None:
    inside = feature[0] if isinstance(feature, list) else getattr(feature, "feature", None)
    names = getattr(inside, "names", None)
    return list(names) if names else None


def _lines(path: Path) -> list[str]:
    """Lines apart at line feeds alone: texts have other characters that Python splits lines at."""
    lines = path.read_text(encoding="utf-8-sig").split("\n")
    return [line.rstrip("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def _json(path: Path, text: str, line: int = 1) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise DataError(f"{path}:{line}: not JSON", "is the file whole?") from None
