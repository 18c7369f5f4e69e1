"""components.starts: folders and hub names from which a stage starts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from huggingface_hub import constants

from components.errors import ParameterError
from components.params import Params
from components.starts import check_folder, local_folder, named_folder, wanted_folder

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path: Path, tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, which holds one commit of `someone/small`; the hub itself is out of reach."""
    snapshot = tmp_path / "hub" / "models--someone--small" / "snapshots" / COMMIT
    shutil.copytree(tokenizer_folder, snapshot)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return snapshot


def test_a_folder_is_itself(tmp_path: Path) -> None:
    assert local_folder("pretrain.init_from", str(tmp_path)) == tmp_path


def test_a_hub_name_with_its_commit_is_the_folder_of_that_commit(hub: Path) -> None:
    assert local_folder("train_tokenizer.from", f"someone/small@{COMMIT}") == hub


@pytest.mark.parametrize("name", ["someone/small", "someone/small@main", f"someone/small@{COMMIT[:7]}", "not/there/at"])
def test_a_hub_name_without_its_commit_is_refused(hub: Path, name: str) -> None:
    with pytest.raises(ParameterError, match=rf"pretrain\.init_from: '{name}': no such folder, .*\n.*OWNER/NAME@"):
        local_folder("pretrain.init_from", name)


def test_a_commit_that_cannot_be_fetched_is_refused_in_two_lines(hub: Path) -> None:
    with pytest.raises(ParameterError, match=r"pretrain\.init_from: cannot load 'someone/other@") as caught:
        local_folder("pretrain.init_from", f"someone/other@{COMMIT}")
    assert len(str(caught.value).splitlines()) == 2


def test_dvc_is_told_of_the_folder_or_of_one_that_the_stage_reads_anyway(params: Params, tmp_path: Path) -> None:
    assert named_folder("pretrain.init_from", str(tmp_path))
    for name, wanted in (
        (None, "artifacts/tokens"),
        (f"a/b@{COMMIT}", "artifacts/tokens"),
        (str(tmp_path), str(tmp_path)),
    ):
        assert wanted_folder("pretrain", params.pretrain.model_copy(update={"init_from": name})) == wanted


def test_what_dvc_was_told_is_compared_with_params_yaml(
    params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    started = params.pretrain.model_copy(update={"init_from": "models"})
    assert check_folder("pretrain", started) == [Path("models")]
    (tmp_path / "folders.yaml").write_text("folders: {pretrain: artifacts/tokens}\n")
    assert check_folder("pretrain", params.pretrain) == []
    with pytest.raises(ParameterError, match=r"init_from of params\.yaml makes it models\n`lianzi run` notes it"):
        check_folder("pretrain", started)
    assert check_folder("finetune", params.finetune) == []
