"""Validation at size: the suites of the stage held by Lianzi and by Great Expectations' own pandas engine.

`python -m benchmarks.validation [--rows N] [--many N] [--results N] [--rounds N]`. Each run is a fresh process, in
turn; what is timed begins after the imports, which are the same. `--rows` measured rows are one parquet file for both.
`--many` documents are generated as shards and go through the whole stage, for its memory. `--results` is how many
expectations the data docs are written for.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.report import Figure, median_round, report
from components.corpus.config import ValidateConfig
from components.params import load_params

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
    from great_expectations.expectations.expectation import Expectation

ROOT = Path(__file__).parent.parent
SPEED_GOAL, MEMORY_GOAL = 20.0, 4.0
MANY_LIMIT = 2000.0  # MB, of the whole stage with its workers
SHARD = 100_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--many", type=int, default=10_000_000)
    parser.add_argument("--results", type=int, default=3_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=2, metavar=("RUN", "FOLDER"))
    chosen = parser.parse_args()
    if chosen.one:
        name, folder = chosen.one
        print(json.dumps(RUNS[name](Path(folder))))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_measured(folder / "measured.parquet", chosen.rows)
        figures = compared(folder, chosen.rounds)
        figures |= pages(folder, chosen.results)
        write_corpus(folder, chosen.many)
        figures |= whole_stage(folder)
    note = (
        f"The corpus suite on {chosen.rows:,} measured rows (fresh processes in turn, after imports; the round "
        f"with the median ratio), {chosen.results:,} results as pages, the whole stage on {chosen.many:,} documents"
    )
    report("validation", figures, ("great_expectations", "duckdb", "pandas"), note)
    return 0


def compared(folder: Path, rounds: int) -> dict[str, Figure]:
    """Seconds and memory of both, which must come to the same verdicts."""
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "pandas": []}
    for number in range(rounds):
        for name, runs in found.items():
            runs.append(call(name, folder))
            print(f"round {number + 1}: {name} {runs[-1]['seconds']:.2f} s, {runs[-1]['memory']:,.0f} MB", flush=True)
    verdicts = {json.dumps(run["verdicts"]) for runs in found.values() for run in runs}
    if len(verdicts) > 1:
        raise RuntimeError(f"the verdicts differ: {verdicts}")
    seconds, memory = ([[run[what] for run in runs] for runs in found.values()] for what in ("seconds", "memory"))
    return {
        "seconds to the verdicts: ours, pandas engine": median_round(*seconds, "s", SPEED_GOAL),
        "peak memory: ours, pandas engine": median_round(*memory, "MB", MEMORY_GOAL),
    }


def pages(folder: Path, results: int) -> dict[str, Figure]:
    """The data docs of many results in one suite: seconds to write them, size of the largest page and of the first."""
    (folder / "results").write_text(str(results))
    found = call("pages", folder)
    return {
        "writing the pages, 60 s allowed": Figure(found["seconds"], 60.0, "s", 1.0),
        "largest page, 1,000 kB allowed": Figure(found["largest"], 1000.0, "kB", 1.0),
        "first page, 100 kB allowed": Figure(found["first"], 100.0, "kB", 1.0),
    }


def whole_stage(folder: Path) -> dict[str, Figure]:
    """The peak of the stage and its workers together, against what is allowed."""
    found = call("stage", folder)
    print(f"the stage: {found['seconds']:.0f} s, {found['memory']:,.0f} MB", flush=True)
    return {"memory of the whole stage, 2,000 MB allowed": Figure(found["memory"], MANY_LIMIT, "MB", 1.0)}


def call(name: str, folder: Path) -> dict[str, Any]:
    """A run in a process of its own, with the peak memory in MB: its own, or sampled of it and its children."""
    words = [sys.executable, "-m", "benchmarks.validation", "--one", name, str(folder)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    peak = 0.0
    finished = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not finished.wait(0.02):
            peak = max(peak, _memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    output = process.communicate()[0]
    finished.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{name} failed")
    return {"memory": peak, **json.loads(output.splitlines()[-1])}


def _memory(number: int) -> float:
    """MB that a process and its children hold, what they share counted once."""
    try:
        process = psutil.Process(number)
        every = [process, *process.children(recursive=True)]
        return sum(one.memory_full_info().pss for one in every) / 1e6
    except psutil.NoSuchProcess:
        return 0.0


def run_ours(folder: Path) -> dict[str, Any]:
    import great_expectations as gx

    from components.validation.expect import hold
    from components.validation.measure import CORPUS_COLUMNS
    from components.validation.suites import corpus_suite
    from components.validation.tables import CORPUS_MEASURED, Table, open_database

    began = time.perf_counter()
    with open_database(folder / "spill") as database:
        database.execute(f"CREATE VIEW corpus AS SELECT * FROM read_parquet('{folder / 'measured.parquet'}')")
        [[rows]] = database.execute("SELECT count(*) FROM corpus").fetchall()
        table = Table("corpus", database, (*CORPUS_COLUMNS, *CORPUS_MEASURED), rows)
        outcome = hold(table, gx.ExpectationSuite(name="corpus", expectations=corpus_suite(settings())))
    return {"seconds": time.perf_counter() - began, "verdicts": verdicts(outcome), "memory": own_peak()}


def run_pandas(folder: Path) -> dict[str, Any]:
    import pandas as pd

    from components.validation.suites import corpus_suite

    began = time.perf_counter()
    frame = pd.read_parquet(folder / "measured.parquet").drop(columns="row")
    outcome = pandas_result(frame, corpus_suite(settings()))
    return {"seconds": time.perf_counter() - began, "verdicts": verdicts(outcome), "memory": own_peak()}


def pandas_result(frame: pd.DataFrame, expectations: Sequence[Expectation]) -> ExpectationSuiteValidationResult:
    """What Great Expectations' own pandas engine makes of a suite."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    from components.validation.expect import RESULT_FORMAT

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context: Any = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite(name="suite", expectations=list(expectations))
    found: ExpectationSuiteValidationResult = batch.validate(suite, result_format=dict(RESULT_FORMAT))
    return found


def own_peak() -> float:
    """MB that this process held at most, imports and all."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1e3


def verdicts(outcome: ExpectationSuiteValidationResult) -> list[list[Any]]:
    """What both engines must agree on, in an order of its own."""
    found = [
        [one.expectation_config.type, one.expectation_config.kwargs.get("column", ""), bool(one.success),
         one.result.get("unexpected_count")]
        for one in outcome.results
        if one.expectation_config is not None
    ]  # fmt: skip
    return sorted(found, key=str)


def run_pages(folder: Path) -> dict[str, Any]:
    """One suite of so many expectations, every other one broken."""
    import great_expectations as gx
    import great_expectations.expectations as gxe

    from components.validation.expect import finding, hold
    from components.validation.pages import write_index, write_pages
    from components.validation.tables import Table, open_database

    with open_database(folder / "spill") as database:
        database.execute(
            "CREATE TABLE many AS SELECT 'doc/' || range AS id, 'text' AS text, range AS row FROM range(9)"
        )
        results = int((folder / "results").read_text())
        suite = gx.ExpectationSuite(
            name="many",
            expectations=[
                gxe.ExpectColumnValuesToBeBetween(column="row", min_value=number % 2, max_value=9 + number)
                for number in range(results)
            ],
        )
        outcome = hold(Table("many", database, ("id", "text", "row"), 9), suite)
    began = time.perf_counter()
    write_pages(folder / "docs", suite, outcome)
    write_index(folder / "docs", {"many": [finding(one) for one in outcome.results]})
    seconds = time.perf_counter() - began
    sizes = {path.name: path.stat().st_size / 1e3 for path in (folder / "docs").rglob("*.html")}
    return {"seconds": seconds, "largest": max(sizes.values()), "first": sizes["index.html"]}


def run_stage(folder: Path) -> dict[str, Any]:
    import os

    from components.run import RecordedRun
    from components.validation.validate import validate

    tasks = {"topic": load_params(ROOT / "params.yaml").tasks["topic"]}
    os.chdir(folder)
    began = time.perf_counter()
    validate(settings(), tasks, Path("corpus"), Path("tasks"), Path("verdict"), Path("docs"), RecordedRun())
    return {"seconds": time.perf_counter() - began}


def settings() -> ValidateConfig:
    chosen: ValidateConfig = load_params(ROOT / "params.yaml").section("validate")
    return chosen.model_copy(update={"max_label_conflict_share": 1.0})


def write_measured(path: Path, rows: int) -> None:
    """Measured rows of a corpus as the stage makes them, a few of them faulty."""
    import duckdb

    duckdb.sql(
        f"""COPY (SELECT 'wiki/' || range AS id, 'Some words of document ' || range || repeat(' and so on', 5) AS text,
        'wiki' AS source, 'en' AS language, 'CC-BY-SA-4.0' AS licence, 'wiki.jsonl' AS file, range AS line,
        60 + range % 9000 AS characters, md5(greatest(range, 5)::VARCHAR) AS fingerprint,
        range % 200 <> 7 AS script_fits,
        CASE WHEN range % 100000 = 3 THEN 'email' END AS personal_data,
        CASE WHEN range % 300000 = 9 THEN 'topic/test' END AS held_out_in, range AS row
        FROM range({rows})) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 32768)"""
    )


def write_corpus(folder: Path, documents: int) -> None:
    """A corpus of generated documents in shards, and a small task."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from components.artifacts import write_manifest
    from components.corpus.documents import SCHEMA

    for start in range(0, documents, SHARD):
        numbers = range(start, min(start + SHARD, documents))
        texts = [
            f"Document {one} tells of {one % 977} things that were seen, and of {one % 89} more." for one in numbers
        ]
        rows = {"id": [f"made/{one}" for one in numbers], "text": texts, "line": list(numbers)}
        same = {"source": "made", "language": "en", "licence": "CC0-1.0", "file": "made.txt"}
        columns = {name: rows.get(name) or [same[name]] * len(texts) for name in SCHEMA.names}
        path = folder / "corpus" / ("validation" if start == 0 else "train") / f"made-{start // SHARD:05}-0.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns, schema=SCHEMA), path, compression="zstd", row_group_size=4096)
    (folder / "corpus" / "train").mkdir(exist_ok=True)
    write_manifest(folder / "corpus", "corpus", {})
    (folder / "tasks" / "topic").mkdir(parents=True)
    for split in ("train", "validation", "test"):
        lines = [{"id": f"{split}/{one}", "text": f"{split} row {one}", "label": "ab"[one % 2]} for one in range(100)]
        (folder / "tasks" / "topic" / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    write_manifest(folder / "tasks" / "topic", "task", {}, labels=["a", "b"])


RUNS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "ours": run_ours,
    "pandas": run_pandas,
    "pages": run_pages,
    "stage": run_stage,
}

if __name__ == "__main__":
    sys.exit(main())
