"""The stage curate: nothing is lost, nothing leaks, nothing is done twice, nothing half-written is left."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.artifacts import read_manifest
from components.corpus import curate as stage
from components.corpus.curate import REASONS, curate
from components.corpus.documents import SPLITS, documents_of, read_documents
from components.corpus.encoding import fingerprint
from components.corpus.removals import Removal, add_removals
from components.errors import DataError
from components.run import Metrics, RecordedRun
from tests.corpus.small_corpus import SOURCES, TASKS, curate_config, documents, poems, small_data, write

HERE = Path(__file__).parents[2]
FIRST = documents(60)[0]["text"]
MESS = [
    {"text": "short"},
    {"text": ""},
    {"text": None},
    {"text": "1234567890 1234567890"},
    {"text": "again and\nagain and\nagain and"},
    {"text": "a very long row of words " * 20_000},
    {"text": FIRST},
    {"text": "another row of the task that tests it"},
    {"text": "a row of the task that validates it"},
]
PROGRAM = """
import sys
from pathlib import Path
from tests.corpus.test_curate import curated
from components.corpus import blocks
if __name__ == "__main__":
    blocks.BLOCK_ROWS = 10
    curated(Path(sys.argv[1]), sys.argv[2])
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return small_data(tmp_path / "data")


def curated(data: Path, to: str = "artifacts", seed: int = 1) -> Metrics:
    out = data.parent / to
    removals = data.parent / "removals.txt"
    made = (data, removals, out / "corpus", out / "tasks", data.parent / "reports")
    return curate(curate_config(), SOURCES, TASKS, seed, *made, RecordedRun())


def kept(data: Path, to: str = "artifacts") -> list[dict[str, Any]]:
    corpus = data.parent / to / "corpus"
    return [row for split in SPLITS for row in documents_of(read_documents(corpus, split))]


def quarantine(data: Path, to: str = "artifacts") -> list[dict[str, Any]]:
    lines = (data.parent / to / "corpus" / "quarantine.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_row_read_is_kept_or_in_quarantine_with_its_reason(data: Path) -> None:
    write(data / "corpus" / "sea_en.jsonl", documents(60) + MESS)
    metrics = curated(data)
    rejected = quarantine(data)
    assert sorted(row["text"] for row in kept(data)) == sorted(row["text"] for row in documents(60) + poems(40))
    assert 100 + len(rejected) == metrics["documents"]["read"] == 109
    reasons = ["too_short", "empty", "empty", "few_letters", "repeated_lines", "too_long", "duplicate"]
    assert [row["reason"] for row in rejected] == [*reasons, "in_task_test", "in_task_validation"]
    assert [(row["file"], row["line"]) for row in rejected] == [("corpus/sea_en.jsonl", line) for line in range(61, 70)]
    assert rejected[6]["same_as"] == "sea_en/d0"
    assert sum(metrics["quarantined"].values()) == len(rejected)
    assert set(metrics["quarantined"]) == set(REASONS)


def test_manifest_counts_add_up(data: Path) -> None:
    write(data / "corpus" / "sea_en.jsonl", documents(60) + MESS)
    curated(data)
    manifest = read_manifest(data.parent / "artifacts" / "corpus", "corpus")
    counts = manifest["counts"]
    assert counts["read"] == sum(counts["kept"].values()) + sum(counts.get(reason, 0) for reason in REASONS)
    assert manifest["sources"] == {"sea_en": 60, "verse_zh": 40}
    assert manifest["languages"] == {"en": 60, "zh": 40}


def test_a_near_duplicate_goes_and_the_one_it_repeats_stays(data: Path) -> None:
    near = FIRST.replace(FIRST.split()[-1], "lighthouse.") + " And that is all there is to tell of it."
    write(data / "corpus" / "sea_en.jsonl", [*documents(60), {"text": f"{FIRST} {FIRST[8:]}"}, {"text": near}])
    config = curate_config(near_duplicate_similarity=0.3)
    out = data.parent / "artifacts"
    removals = data.parent / "none"
    paths = (data, removals, out / "corpus", out / "tasks", data.parent / "reports")
    curate(config, SOURCES, TASKS, 1, *paths, RecordedRun())
    found = {row["id"]: row.get("same_as") for row in quarantine(data) if row["reason"] == "near_duplicate"}
    assert found["sea_en/line-62"] == "sea_en/d0"
    assert "sea_en/d0" in {row["id"] for row in kept(data)}


def test_a_held_out_row_is_found_in_the_corpus_though_its_address_was_replaced_there(data: Path) -> None:
    texts = [f"Write to the captain at {name}@pequod.example.org and to nobody else, they said." for name in ("a", "b")]
    write(data / "tasks" / "colour" / "test.jsonl", [{"text": texts[0], "label": "a"}])
    write(data / "corpus" / "sea_en.jsonl", [*documents(60), *({"text": text} for text in texts)])
    curated(data)
    found = {row["id"]: row["reason"] for row in quarantine(data)}
    assert found == {"sea_en/line-61": "in_task_test", "sea_en/line-62": "in_task_test"}


def test_what_was_changed_is_told(data: Path) -> None:
    mail = {"id": "m", "text": "Write to the captain at ahab@pequod.example.org and to nobody else, the sailor said."}
    write(data / "corpus" / "sea_en.jsonl", [*documents(60), mail])
    metrics = curated(data)
    assert metrics["changed"]["email_scrubbed"] == 1
    [row] = [row for row in kept(data) if row["id"] == "sea_en/m"]
    assert "<EMAIL>" in row["text"]
    changed = (data.parent / "artifacts/corpus/changed.jsonl").read_text("utf-8")
    assert json.loads(changed)["changes"] == ["email_scrubbed"]
    assert "ahab@" not in changed


def test_same_data_gives_the_same_bytes_whatever_was_curated_before(data: Path, tmp_path: Path) -> None:
    curated(data, "one")
    curated(data, "two")
    assert contents(data.parent / "one") == contents(data.parent / "two")
    for path in (tmp_path / "cache").rglob("*.parquet"):
        path.unlink()
    curated(data, "three")
    assert contents(data.parent / "one") == contents(data.parent / "three")


def test_new_rows_cost_only_their_own_curation_and_the_result_is_a_full_rebuild(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.corpus.blocks.BLOCK_ROWS", 10)
    curated(data, "before")
    cache = tmp_path / "cache" / "curation"
    old = {path.name: path.stat().st_ino for path in cache.iterdir()}
    write(data / "corpus" / "lake_en.jsonl", documents(20, seed=5))
    write(data / "corpus" / "verse_zh.jsonl", poems(50))
    curated(data, "after")
    new = {path.name: path.stat().st_ino for path in cache.iterdir()}
    assert new.items() >= old.items()
    assert len(new) == len(old) + 2 + 1
    monkeypatch.setenv("LIANZI_CACHE", str(tmp_path / "another"))
    curated(data, "whole")
    assert contents(data.parent / "after") == contents(data.parent / "whole")


def test_a_curated_block_that_was_cut_short_is_made_again(data: Path, tmp_path: Path) -> None:
    curated(data, "one")
    for path in (tmp_path / "cache" / "curation").iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    curated(data, "two")
    assert contents(data.parent / "one") == contents(data.parent / "two")


def test_blocks_no_run_has_used_for_long_are_forgotten(data: Path, tmp_path: Path) -> None:
    curated(data, seed=1)
    cache = tmp_path / "cache" / "curation"
    first = set(cache.iterdir())
    long_ago = time.time() - (stage.KEPT_BLOCKS_DAYS + 1) * 86400
    for path in first:
        os.utime(path, (long_ago, long_ago))
    curated(data, seed=2)
    assert not first & set(cache.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("killed", ["worker", "process"])
def test_a_kill_half_way_loses_nothing_and_doubles_nothing(
    killed: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.corpus.blocks.BLOCK_ROWS", 10)
    curated(data, "one")
    cache = tmp_path / "another"
    (tmp_path / "program.py").write_text(PROGRAM)
    variables = os.environ | {"LIANZI_WORKERS": "2", "PYTHONPATH": str(HERE), "LIANZI_CACHE": str(cache)}
    command = [sys.executable, "program.py", str(data), "two"]
    process = subprocess.Popen(command, cwd=tmp_path, env=variables)
    while not list(cache.rglob("*.parquet")) and process.poll() is None:
        time.sleep(0.002)
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        os.kill(process.pid if killed == "process" else _workers(process.pid)[-1], signal.SIGKILL)
    process.wait(120)
    subprocess.run(command, cwd=tmp_path, env=variables, check=True, timeout=120)
    assert contents(data.parent / "one") == contents(data.parent / "two")
    assert not [path for path in cache.rglob("*") if path.is_file() and path.suffix != ".parquet"]


def _workers(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children() if "spawn_main" in " ".join(child.cmdline())]


def test_split_does_not_depend_on_file_or_order(data: Path) -> None:
    curated(data, "one")
    (data / "corpus" / "sea_en.jsonl").unlink()
    write(data / "corpus" / "b_en.jsonl", documents(60)[:20][::-1])
    write(data / "corpus" / "a_en.jsonl", documents(60)[20:])
    curated(data, "two")
    one, two = (
        {row["text"] for row in documents_of(read_documents(data.parent / to / "corpus", "validation"))}
        for to in ("one", "two")
    )
    assert one == two


def test_documents_know_where_they_stood_and_what_they_are(data: Path) -> None:
    (data / "corpus" / "verse.txt").write_text(
        "白日依山盡，黃河入海流。欲窮千里目，更上一層樓。\n\nA line of English, no more than that.\n"
    )
    curated(data)
    rows = {row["id"]: row for row in kept(data)}
    assert (rows["verse/line-1"]["language"], rows["verse/line-3"]["language"]) == ("zh", "en")
    assert (rows["verse/line-3"]["file"], rows["verse/line-3"]["line"]) == ("corpus/verse.txt", 3)
    assert rows["sea_en/d7"]["licence"] == "CC0-1.0"
    assert rows["verse/line-1"]["licence"] is None


def test_removed_rows_stay_out_under_any_name(data: Path) -> None:
    curated(data)
    text = documents(60)[3]["text"]
    add_removals(data.parent / "removals.txt", [Removal("corpus", "sea_en/d3", fingerprint(text))])
    write(data / "corpus" / "copy_en.jsonl", [{"id": "again", "text": text}])
    curated(data)
    assert text not in {other["text"] for other in kept(data)}
    assert {one["id"] for one in quarantine(data) if one["reason"] == "removed"} == {"sea_en/d3", "copy_en/again"}


def test_the_report_shows_where_the_rows_went(data: Path, tmp_path: Path) -> None:
    write(data / "corpus" / "sea_en.jsonl", documents(60) + MESS)
    curated(data)
    page = (tmp_path / "reports" / "index.html").read_text("utf-8")
    assert "100 of 109 rows kept" in page
    assert "few_letters: 1" in page
    assert "<svg" in page
    assert "http" not in page


def test_missing_data_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data: missing\nrun `dvc pull data`"):
        curated(tmp_path / "data")


def test_empty_corpus_is_refused(data: Path) -> None:
    for path in (data / "corpus").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="no corpus here"):
        curated(data)


def test_corpus_of_which_nothing_is_left_says_why(data: Path) -> None:
    (data / "corpus" / "verse_zh.jsonl").unlink()
    write(data / "corpus" / "sea_en.jsonl", MESS[:3])
    with pytest.raises(DataError, match=r"no document is left for the train split \(rejected: empty 2, too_short 1\)"):
        curated(data)


def test_file_of_unknown_format_is_not_passed_over(data: Path) -> None:
    (data / "corpus" / "notes.docx").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"notes\.docx: unknown format"):
        curated(data)


def test_damage_in_the_last_file_leaves_no_output_and_keeps_the_old_one(data: Path) -> None:
    curated(data)
    before = contents(data.parent / "artifacts")
    (data / "corpus" / "zzz.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a document cut short"}\n' * 99)[:-9])
    with pytest.raises(DataError, match=r"zzz\.jsonl\.gz: damaged"):
        curated(data)
    assert contents(data.parent / "artifacts") == before
    assert sorted(path.name for path in (data.parent / "artifacts").iterdir()) == ["corpus", "tasks"]


def test_reasons_are_counted_once() -> None:
    assert max(Counter(REASONS).values()) == 1


def test_a_short_common_test_row_does_not_empty_the_corpus(data: Path) -> None:
    phrase = "This is about the sea"
    write(data / "tasks" / "colour" / "test.jsonl", [{"text": phrase, "label": "a"}])
    texts = [row["text"].replace("This is about the", f"{phrase}, the") for row in documents(60)]
    write(data / "corpus" / "sea_en.jsonl", [{"text": text} for text in [*texts, phrase]])
    curated(data)
    assert len(kept(data)) == 100
    assert [(row["line"], row["reason"]) for row in quarantine(data)] == [(61, "in_task_test")]


def test_a_short_test_row_that_few_documents_have_takes_them_out(data: Path) -> None:
    write(data / "tasks" / "colour" / "test.jsonl", [{"text": "who painted the old tower", "label": "a"}])
    texts = [row["text"] for row in documents(60)]
    texts[:2] = [f"{text} Who painted the old tower?" for text in texts[:2]]
    write(data / "corpus" / "sea_en.jsonl", [{"text": text} for text in texts])
    curated(data)
    assert [(row["line"], row["reason"]) for row in quarantine(data)] == [(1, "in_task_test"), (2, "in_task_test")]


def test_a_source_of_80_chinese_characters_is_curated(data: Path) -> None:
    write(data / "corpus" / f"{'海' * 80}.jsonl", documents(5, seed=9))
    curated(data)
    assert sum(row["source"] == "海" * 80 for row in kept(data)) == 5


def test_an_id_with_a_lone_surrogate_and_columns_of_any_kind_are_no_obstacle(data: Path) -> None:
    rows = documents(5, seed=9)
    (data / "corpus" / "lake_en.jsonl").write_text(
        "".join(json.dumps(row | {"id": f"\ud83d{number}", "language": None}) + "\n" for number, row in enumerate(rows))
    )
    far = pa.array([253402300800 + 86400] * 5, pa.timestamp("s", tz="GMT+8"))
    texts = pa.array([row["text"] + " Again." for row in documents(5, seed=10)])
    pq.write_table(pa.table({"text": texts, "when": far}), data / "corpus" / "pond_en.parquet")
    curated(data)
    ids = {row["id"] for row in kept(data)}
    assert {f"lake_en/\\ud83d{number}" for number in range(5)} | {f"pond_en/line-{row}" for row in range(1, 6)} <= ids
