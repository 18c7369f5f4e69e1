"""cli.suite_project: a suite's project has its rows, its checkpoint and nothing of the project around it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from cli.init import make_project
from cli.suite_project import System, checkpoint_name, official_rows, suite_project
from components.errors import LianziError
from components.libraries import installed
from components.params import load_params
from components.suites.suite import suite_of
from flows.settings import change_params
from tests.models_from_elsewhere import family_folder
from tests.small_suites import COUNTS, small_suite


@pytest.fixture(scope="module")
def around(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A project, with a checkpoint and GLUE beside it."""
    folder = tmp_path_factory.mktemp("around")
    make_project(folder / "project", {"mood": "en"})
    family_folder(folder / "bert", "bert", tokenizer_folder)
    small_suite("superglue", folder / "superglue")
    return folder


def test_a_suite_has_a_project_of_its_own(around: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = around / "project"
    monkeypatch.chdir(root)
    before = (root / "params.yaml").read_text()
    suite = suite_of("superglue/wic")
    system = System("bert", checkpoint_name("../bert"), around / "superglue", ("finetune.epochs=2",))
    folder = suite_project(root, suite, system, print)
    params = load_params(folder / "params.yaml")
    assert list(params.tasks) == ["wic"]
    assert params.tasks["wic"].max_length == 66  # as much as the checkpoint reads
    assert params.pretrain.init_from == str(around / "bert")
    assert params.pretrain.steps == 0
    assert params.finetune.epochs == 2
    assert "[E1]" in params.train_tokenizer.special_tokens
    assert (root / "params.yaml").read_text() == before
    assert {split: len(rows) for split, rows in official_rows(folder, suite.tasks[0]).items()} == {
        split: COUNTS[split] for split in ("validation", "test")
    }
    row = json.loads((folder / "data/tasks/wic/test.jsonl").read_text().splitlines()[0])
    assert set(row) == {"id", "text", "head", "tail", "label"}
    status = ["git", "status", "--porcelain"]
    assert subprocess.check_output(status, cwd=folder, text=True) == ""
    assert suite_project(root, suite, system, print) == folder
    with pytest.raises(LianziError, match="--name gives this system another name"):
        suite_project(root, suite, System("bert", system.model, system.data, ()), print)


def test_a_suite_follows_the_params_around_it_and_tells_what_changed(around: Path) -> None:
    root, suite = around / "project", suite_of("superglue/cb")
    system = System("follower", str(around / "bert"), around / "superglue", ("finetune.epochs=2",))
    folder = suite_project(root, suite, system, print)
    (folder / "results").mkdir()
    told: list[str] = []
    suite_project(root, suite, system, told.append)
    assert (told, (folder / "results").is_dir()) == ([], True)
    seed = load_params(root / "params.yaml").seed
    change_params(root / "params.yaml", (f"seed={seed + 1}", "finetune.epochs=7"))
    suite_project(root, suite, system, told.append)
    params = load_params(folder / "params.yaml")
    assert (params.seed, params.finetune.epochs) == (seed + 1, 2)  # --set goes before params.yaml
    assert told == [f"params.yaml: seed: {seed} -> {seed + 1}"]
    assert not (folder / "results").exists()
    suite_project(root, suite, system, told.append)
    assert len(told) == 1


def test_a_suite_tells_that_a_library_is_another_version(around: Path) -> None:
    root, suite = around / "project", suite_of("superglue/cb")
    system = System("older", str(around / "bert"), around / "superglue", ())
    folder = suite_project(root, suite, system, print)
    path = folder / "libraries.yaml"
    now = installed("torch")
    path.write_text(re.sub(r"(?m)^torch: .*$", "torch: '1.0'", path.read_text()))
    told: list[str] = []
    suite_project(root, suite, system, told.append)
    assert told == [f"libraries.yaml: torch: 1.0 -> {now}"]


@pytest.mark.parametrize(
    ("name", "data", "model", "told"),
    [
        ("superglue", "nowhere", "bert", "nowhere: no such folder"),
        ("glue", "superglue", "bert", "download https://gluebenchmark.com/tasks"),
        ("wmt16", "superglue", "bert", "wmt16 needs an encoder-decoder"),
        ("glue", "superglue", None, "the project has no pretrained model yet"),
    ],
)
def test_what_is_out_of_reach_is_told_and_nothing_is_laid_out(
    around: Path, name: str, data: str, model: str | None, told: str
) -> None:
    root = around / "project"
    system = System("other", str(around / model) if model else None, around / data, ())
    with pytest.raises(LianziError) as caught:
        suite_project(root, suite_of(name), system, print)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) <= 2
    assert not list((root / ".lianzi" / "suites" / name).glob("other*"))


def test_a_hub_out_of_reach_is_a_line_that_says_what_to_download(around: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    system = System("hub", str(around / "bert"), None, ())
    with pytest.raises(LianziError) as caught:
        suite_project(around / "project", suite_of("superglue/cb"), system, print)
    assert "put train.jsonl, val.jsonl, test.jsonl into FOLDER/CB/" in str(caught.value)
    assert "huggingface.co/datasets/aps/super_glue" in str(caught.value)
