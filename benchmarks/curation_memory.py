"""Peak memory of curation and tokenization on a corpus, and on one ten times as large.

python -m benchmarks.curation_memory [--times 10]

The larger corpus holds the sample corpus and copies of it with the words of every text (or its Chinese characters) in
another order, so that no copy is taken for a repetition. Each stage runs in a fresh process, with one worker: itself.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import zstandard

from benchmarks.report import Figure, report
from components.corpus.files import corpus_files
from components.corpus.read import read_records

ROOT = Path(__file__).parent.parent
GOAL = 1 / 1.1
UNITS = re.compile(r"[^\W\u3400-\u9fff]+|[\u3400-\u9fff]")


def main() -> int:
    """Measure and write benchmarks/results/curation_memory.json; 1 when a stage grows beyond the goal."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--times", type=int, default=10)
    options.add_argument("--stage", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.stage:
        return _stage(chosen.stage)
    with tempfile.TemporaryDirectory() as folder:
        peaks = {times: _peaks(Path(folder) / str(times), times) for times in (1, chosen.times)}
    figures = {
        f"{stage}, {chosen.times} times the corpus (ours) and once (peer)": Figure(
            peaks[chosen.times][stage], peaks[1][stage], "MB", GOAL
        )
        for stage in peaks[1]
    }
    note = f"Peak resident memory of a stage on a corpus {chosen.times} times as large; goal: a tenth more at most"
    report("curation_memory", figures, ("numpy", "pyarrow", "gigatoken"), note)
    return int(any(figure.ratio < GOAL for figure in figures.values()))


def _peaks(folder: Path, times: int) -> dict[str, float]:
    """MB of each stage."""
    (folder / "data" / "corpus").mkdir(parents=True)
    shutil.copytree(ROOT / "data" / "tasks", folder / "data" / "tasks")
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "tokenizer").symlink_to(ROOT / "artifacts" / "tokenizer")
    for name in ("params.yaml", "removals.txt"):
        (folder / name).symlink_to(ROOT / name)
    for file in corpus_files(ROOT / "data" / "corpus"):
        with zstandard.open(folder / "data" / "corpus" / f"{file.source}.jsonl.zst", "wt", encoding="utf-8") as stream:
            for row in _copies(file.path, times):
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    variables = os.environ | {"LIANZI_WORKERS": "1", "PYTHONPATH": str(ROOT), "LIANZI_CACHE": str(folder / "cache")}
    peaks = {}
    for stage in ("curate", "tokenize"):
        command = [sys.executable, "-m", "benchmarks.curation_memory", "--stage", stage]
        done = subprocess.run(command, cwd=folder, env=variables, check=True, stdout=subprocess.PIPE, text=True)
        peaks[stage] = float(done.stdout.splitlines()[-1])
    return peaks


def _copies(path: Path, times: int) -> Iterator[dict[str, str]]:
    for copy in range(times):
        chance = random.Random(copy)
        for record in read_records(path):
            text = record.text()
            if copy:
                units = UNITS.findall(text)
                chance.shuffle(units)
                rest = iter(units)
                text = UNITS.sub(lambda _, rest=rest: next(rest), text)  # type: ignore[misc]
            yield {"id": f"{copy}-{record.name}", "text": text}


def _stage(name: str) -> int:
    """Run a stage here and print this process's peak in MB."""
    from components.corpus.curate import curate
    from components.params import load_params
    from components.run import RecordedRun
    from components.tokenization.pack import tokenize

    params, made = load_params(Path("params.yaml")), Path("artifacts")
    if name == "curate":
        paths = (Path("data"), Path("removals.txt"), made / "corpus", made / "tasks", Path("reports/curation"))
        curate(params.curate, params.corpus, params.tasks, params.seed, *paths, RecordedRun())
    else:
        paths = (made / "corpus", made / "tokenizer", made / "tokens")
        tokenize(params.tokenize, params.corpus, *paths, RecordedRun())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return 0


if __name__ == "__main__":
    sys.exit(main())
