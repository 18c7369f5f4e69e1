"""components.modeling.weight_files: whole files, and each kind of damage."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from components.errors import ArtifactError
from components.modeling.weight_files import INDEX, WHOLE, stored_tensors

TENSORS = {"bert.a.weight": torch.arange(6.0).view(2, 3), "bert.pooler.dense.bias": torch.ones(4, dtype=torch.bfloat16)}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    save_file(TENSORS, tmp_path / WHOLE)
    return tmp_path


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    files = {name: f"model-0000{number}.safetensors" for number, name in enumerate(TENSORS)}
    for name, file in files.items():
        save_file({name: TENSORS[name]}, tmp_path / file)
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": files}))
    return tmp_path


def refused(folder: Path) -> tuple[str, str]:
    with pytest.raises(ArtifactError) as caught:
        stored_tensors(folder)
    message, hint = str(caught.value).split("\n")
    return message, hint


def test_headers_tell_shapes_and_types(whole: Path) -> None:
    found = stored_tensors(whole)
    assert {name: (one.shape, one.dtype) for name, one in found.items()} == {
        "bert.a.weight": ((2, 3), "F32"),
        "bert.pooler.dense.bias": ((4,), "BF16"),
    }


def test_shards_are_read_as_one(shards: Path) -> None:
    assert {one.file.name for one in stored_tensors(shards).values()} == {
        "model-00000.safetensors",
        "model-00001.safetensors",
    }


def test_a_file_cut_short_is_refused_with_both_sizes(whole: Path) -> None:
    path = whole / WHOLE
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-5])
    message, hint = refused(whole)
    assert message == f"{path}: cut short: {size - 5:,} bytes of {size:,}"
    assert "again" in hint


@pytest.mark.parametrize("kept", [0, 5, 30])
def test_a_file_cut_short_within_its_header_is_refused(whole: Path, kept: int) -> None:
    path = whole / WHOLE
    path.write_bytes(path.read_bytes()[:kept])
    assert "cut short" in refused(whole)[0]


def test_a_file_with_more_than_its_header_says_is_refused(whole: Path) -> None:
    with (whole / WHOLE).open("ab") as stream:
        stream.write(b"more")
    assert "4 more than its header says" in refused(whole)[0]


def test_a_header_that_is_none_is_refused(whole: Path) -> None:
    content = bytearray((whole / WHOLE).read_bytes())
    content[8:12] = b"[[[["
    (whole / WHOLE).write_bytes(content)
    assert "damaged" in refused(whole)[0]


def test_the_note_of_git_lfs_is_told_by_its_name(whole: Path) -> None:
    (whole / WHOLE).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 90868376\n")
    assert refused(whole)[1] == "run `git lfs pull` there"


def test_a_missing_shard_is_named(shards: Path) -> None:
    (shards / "model-00001.safetensors").unlink()
    assert "model-00001.safetensors: missing" in refused(shards)[0]


def test_a_shard_without_its_tensor_is_named(shards: Path) -> None:
    save_file({"other": torch.ones(1)}, shards / "model-00001.safetensors")
    assert "bert.pooler.dense.bias is not in it" in refused(shards)[0]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"weight_map": {"a": "../b.safetensors"}}', '{"weight_map": {"a": 1}}']
)
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / INDEX).write_text(content)
    assert "not an index" in refused(tmp_path)[0]
