"""datatrove's stock pipeline, one worker, its own words (spaCy; jieba for Chinese). One line of JSON comes out.

curation_datatrove.py pace FILE LANGUAGE THRESHOLDS MODEL   seconds, rows judged and rows kept
curation_datatrove.py duplicates FILE LANGUAGE              numbers of the rows that its MinHash would remove
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    mode, file, language = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as folder:
        if mode == "duplicates":
            print(json.dumps({"removed": removed(Path(file), language, Path(folder))}))
        else:
            found = pace(Path(file), language, json.loads(sys.argv[4]), Path(sys.argv[5]), Path(folder))
            print(json.dumps(found))


def pace(file: Path, language: str, thresholds: dict[str, Any], model: Path, folder: Path) -> dict[str, float]:
    """The filters and MinHash signatures over a file. The bundled model stands where the download would go."""
    os.environ["HF_ASSETS_CACHE"] = str(folder / "assets")
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline import dedup, formatters, readers
    from datatrove.utils.lid import FT176LID

    FT176LID.MODEL_URL = str(model)
    steps: list[Any] = [
        readers.JsonlReader(str(file.parent), glob_pattern=file.name),
        formatters.FTFYFormatter(),
        *quality_filters(language, thresholds),
        formatters.PIIFormatter(),
        dedup.MinhashDedupSignature(str(folder / "signatures"), language=language),
    ]
    began = time.perf_counter()
    LocalPipelineExecutor(steps, tasks=1, workers=1, logging_dir=str(folder / "logs")).run()
    seconds = time.perf_counter() - began
    read = json.loads((folder / "logs" / "stats.json").read_text())
    kept = next(step["stats"] for step in read if "MinHash" in step["name"])["total"]
    rows = next(step["stats"] for step in read if "Reader" in step["name"] or "Jsonl" in step["name"])["documents"]
    return {"seconds": seconds, "rows": _total(rows), "kept": _total(kept)}


def quality_filters(language: str, thresholds: dict[str, Any]) -> list[Any]:
    """Its filters with our thresholds where both have one."""
    from datatrove.pipeline import filters

    rules, lines = thresholds["rules"], thresholds["max_repeated_line_share"]
    return [
        # Their model takes a quarter of classical Chinese for Japanese: labelled here as theirs does, all kept.
        filters.LanguageFilter([language], label_only=True),
        filters.GopherRepetitionFilter(
            dup_line_frac=lines,
            dup_para_frac=lines,
            dup_line_char_frac=lines,
            dup_para_char_frac=lines,
            # Off where ours are, for short texts, they would turn most of these away: the same work, nothing lost.
            top_n_grams=tuple((int(n), 1.0) for n in rules["top_n_grams"]),
            dup_n_grams=tuple((int(n), 1.0) for n in rules["duplicate_n_grams"]),
            language=language,
        ),
        filters.GopherQualityFilter(
            min_doc_words=None,
            max_doc_words=None,
            min_avg_word_length=1,
            max_avg_word_length=1000,  # jieba leaves clauses of classical Chinese whole
            max_symbol_word_ratio=rules["max_symbol_share"],
            max_bullet_lines_ratio=rules["max_bullet_line_share"],
            max_ellipsis_lines_ratio=rules["max_ellipsis_line_share"],
            max_non_alpha_words_ratio=0.3,
            min_stop_words=rules["min_stop_words"],
            stop_words=rules["stop_words"],
            language=language,
        ),
        filters.C4QualityFilter(
            remove_citations=False,
            filter_no_terminal_punct=False,
            min_num_sentences=-1,
            min_words_per_line=-1,
            max_word_length=rules["max_run"],
            filter_javascript=False,
            filter_curly_bracket=False,
            language=language,
        ),
        filters.FineWebQualityFilter(
            line_punct_thr=rules["min_punctuated_line_share"],
            line_punct_exclude_zero=True,
            short_line_thr=rules["max_short_line_share"],
            char_duplicates_ratio=lines,
            new_line_ratio=1.0,
            language=language,
        ),
    ]


def removed(file: Path, language: str, folder: Path) -> list[int]:
    """The four stages of its MinHash as its example has them, up to the list of what is removed."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline import dedup, readers

    reader = readers.JsonlReader(str(file.parent), glob_pattern=file.name)
    places = [str(folder / name) for name in ("signatures", "buckets", "removed")]
    stages: list[tuple[list[Any], int]] = [
        ([reader, dedup.MinhashDedupSignature(places[0], language=language)], 1),
        ([dedup.MinhashDedupBuckets(places[0], places[1])], 14),
        ([dedup.MinhashDedupCluster(places[1], places[2])], 1),
    ]
    for number, (steps, tasks) in enumerate(stages):
        LocalPipelineExecutor(steps, tasks=tasks, workers=1, logging_dir=str(folder / f"logs{number}")).run()
    found = Path(places[2]) / "000000.remove"
    numbers: list[int] = np.fromfile(found, "<u4").tolist() if found.exists() else []
    return numbers


def _total(stat: Any) -> float:
    return float(stat["total"] if isinstance(stat, dict) else stat)


if __name__ == "__main__":
    main()
