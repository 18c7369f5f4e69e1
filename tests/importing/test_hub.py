"""Hugging Face data sets: saved ones and folders are read, and what the hub does not have is told."""

from __future__ import annotations

from pathlib import Path

import datasets
import pyarrow as pa
import pytest
from datasets import Dataset, DatasetDict, DatasetInfo
from datasets.arrow_writer import ArrowWriter

from components.errors import DataError
from components.importing.hub import is_saved, open_dataset


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "pets"
    train = Dataset.from_dict({"id": [1, 2], "text": ["one 貓", "two"]})
    DatasetDict(train=train, test=Dataset.from_dict({"id": [3], "text": ["three"]})).save_to_disk(str(path))
    return path


def test_train_is_taken_unless_another_split_is_named(saved: Path) -> None:
    source = open_dataset(str(saved), None, None)
    records = list(source.records)
    assert [(record.name, record.text()) for record in records] == [("1", "one 貓"), ("2", "two")]
    assert source.provenance(records[1]) == f"{saved}/train:2"
    assert source.name == "pets"
    assert [record.text() for record in open_dataset(str(saved), None, "test").records] == ["three"]


def test_a_data_set_saved_without_splits_is_read_whole(saved: Path) -> None:
    assert is_saved(saved / "test")
    assert [record.text() for record in open_dataset(str(saved / "test"), None, None).records] == ["three"]


def test_a_folder_of_files_named_by_split_is_a_data_set(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}.jsonl").write_text(f'{{"text": "{split} row"}}\n')
    assert not is_saved(tmp_path)
    assert [record.text() for record in open_dataset(str(tmp_path), None, "test").records] == ["test row"]


def test_only_the_columns_used_are_converted(tmp_path: Path) -> None:
    far = pa.array([253402300800 + 86400], pa.timestamp("s", tz="GMT+8"))
    Dataset(pa.table({"text": ["one"], "when": far})).save_to_disk(str(tmp_path / "far"))
    [record] = open_dataset(str(tmp_path / "far"), None, None, ("text", "id")).records
    assert (record.text(), record.unread) == ("one", ("when",))
    with pytest.raises(DataError, match="far: ended with an error after row 0"):
        list(open_dataset(str(tmp_path / "far"), None, None).records)


def test_an_unknown_split_names_the_known_ones(saved: Path) -> None:
    with pytest.raises(DataError, match="no split 'dev'\nchoose with --split: train, test"):
        open_dataset(str(saved), None, "dev")


def test_an_unknown_data_set_is_told(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is a server on localhost here, which knows no data set at all."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", web)
    with pytest.raises(DataError, match="nobody/nothing: no such file or folder here"):
        open_dataset("nobody/nothing", None, None)


def test_without_the_hub_an_earlier_run_left_it_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    folder = tmp_path / "owner___pets" / "default" / "0.0.0" / "abc"
    folder.mkdir(parents=True)
    pets = Dataset.from_dict({"text": ["one", "two"]})
    writer = ArrowWriter(path=str(folder / "pets-train.arrow"), features=pets.features)
    for row in pets:
        writer.write(row)
    count, size = writer.finalize()
    split = {"name": "train", "num_bytes": size, "num_examples": count, "dataset_name": "pets"}
    about = {"dataset_name": "pets", "builder_name": "parquet", "config_name": "default", "version": "0.0.0"}
    DatasetInfo(features=pets.features, splits={"train": split}, **about).write_to_directory(str(folder))
    source = open_dataset("owner/pets", None, None)
    assert [record.text() for record in source.records] == ["one", "two"]
    with pytest.raises(DataError, match=r"nor in the cache of datasets\nthe hub is not asked: HF_HUB_OFFLINE is set"):
        open_dataset("owner/cats", None, None)


def test_a_hub_out_of_reach_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="the Hugging Face hub does not answer"):
        open_dataset("nobody/nothing", None, None)
