"""cli.import_rows: a data set of three splits becomes the rows of a task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

from cli.import_rows import import_rows
from components.corpus.labelled import curate_task
from components.corpus.removals import Removals
from components.errors import LianziError
from components.tasks.config import TaskConfig

TAGS = Features({"tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=["O", "B-LOC"]))})


def test_a_saved_data_set_becomes_a_task(tmp_path: Path, root: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((root / "params.yaml").read_bytes())
    (tmp_path / "data").mkdir()
    saved = tmp_path / "saved"
    tags: dict[str, Any] = {"ner_tags": [[0, 1], [1, 0]]}
    splits = {
        split: Dataset.from_dict({"tokens": [[split, "Accra"], ["Lagos", split]], **tags}, features=TAGS)
        for split in ("train", "validation", "test")
    }
    DatasetDict(splits).save_to_disk(str(saved))
    lines = import_rows(tmp_path, str(saved), "places", None, (), False)
    assert lines[0] == "data/tasks/places/train.jsonl.zst: 2 rows"
    config = TaskConfig(kind="token_classification", language="en", max_length=16)
    rows = tmp_path / "data" / "tasks" / "places"
    assert curate_task(config, rows, tmp_path / "data", tmp_path / "out", Removals()).kept["train"] == 2
    assert json.loads((rows / "imported.json").read_text())["source"] == str(saved)
    with pytest.raises(LianziError, match="has rows already\n--replace"):
        import_rows(tmp_path, str(saved), "places", None, (), False)
    with pytest.raises(LianziError, match="expected COLUMN=ITS_NAME"):
        import_rows(tmp_path, str(saved), "places", None, ("text",), True)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("rows.csv", "rows.csv: --task takes a Hugging Face data set\nfiles of rows go into data/tasks/TASK/"),
        ("https://a:secret@example.org/x", r"https://\S*example.org/x: --task takes a Hugging Face data set"),
        ("./nothing", "./nothing: no such file or folder"),
    ],
)
def test_the_hub_is_not_asked_for_files_and_addresses(
    source: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("text,label\n")
    with pytest.raises(LianziError, match=told) as refused:
        import_rows(tmp_path, source, "nli", None, (), False)
    assert "secret" not in str(refused.value)
