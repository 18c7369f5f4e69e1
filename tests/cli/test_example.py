"""cli.example: an example is shown, then taken into a project; a person's data stay."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import pytest

from cli.example import BEFORE, SETTINGS, example, examples, listing, take_over
from cli.init import make_project
from cli.project_files import SHARED
from components.corpus.documents import in_validation_split
from components.corpus.read import read_records
from components.corpus.row_filter import RowFilter
from components.errors import DataError, ParameterError
from components.params import load_params, read_yaml
from components.tasks.config import TaskConfig
from flows.checks import check_project
from flows.graph import read_graph
from flows.settings import take_settings

MOST_BYTES = 300_000
"""Of a packed file of an example."""


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("example") / "mine"
    make_project(folder, {"mood": "en"})
    return folder


def test_every_example_says_what_it_is_and_brings_small_data(root: Path) -> None:
    assert listing()[: len(examples())] == [f"{name:{max(map(len, examples()))}}  {one.title}" for name, one in
                                            examples().items()]  # fmt: skip
    for one in examples().values():
        assert one.title
        assert Path("data/SOURCES.md") in one.files
        assert all(path.stat().st_size <= MOST_BYTES for path in one.files.values())


@pytest.mark.parametrize("name", examples())
def test_an_example_fits_the_parameters_that_ship_and_its_data_its_tasks(
    name: str, mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run looks at before its first stage."""
    for path in mine.glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr("cli.example.read_graph", lambda root: [])
    list(take_over(example(name), tmp_path, True, force=False))
    params = load_params(tmp_path / "params.yaml")
    assert params.tasks.keys() == {path.parent.name for path in tmp_path.glob("data/tasks/*/train.*")}
    assert params.corpus.keys() == {path.name.partition(".")[0] for path in tmp_path.glob("data/corpus/*")}
    monkeypatch.chdir(tmp_path)
    check_project(tmp_path, params, [])


def test_the_shortest_texts_leave_enough_to_validate_pretraining_on(tmp_path: Path, root: Path) -> None:
    shutil.copy(root / "params.yaml", tmp_path)
    found = example("intent_zh")
    take_settings(tmp_path / "params.yaml", read_yaml(found.folder / SETTINGS), write=True)
    params = load_params(tmp_path / "params.yaml")
    [(source, said)] = params.corpus.items()
    rules = RowFilter(params.curate, {source: said.language})
    texts = (str(row.fields["text"]) for row in read_records(found.files[Path(f"data/corpus/{source}.jsonl.gz")]))
    kept = [row.text for text in texts if not (row := rules.apply(text, "", source)).reason]
    held = [text for text in kept if in_validation_split(text, params.curate.validation_fraction, params.seed)]
    # A Chinese character is a token, or part of one.
    assert sum(map(len, held)) > 2 * params.pretrain.sequence_length


def test_what_changes_is_told_before_anything_is_written(mine: Path) -> None:
    before = (mine / "params.yaml").read_text(encoding="utf-8")
    told = list(take_over(example("intent"), mine, False, force=False))
    assert (mine / "params.yaml").read_text(encoding="utf-8") == before
    assert "params.yaml: tasks.mood: taken out" in told
    assert any(line.startswith("data/tasks/intent/train.jsonl.gz: ") and line.endswith(" new") for line in told)
    assert not (mine / "data" / "tasks" / "intent").exists()


def test_data_of_ones_own_stay_unless_forced(tmp_path: Path) -> None:
    make_project(tmp_path / "mine", {"mood": "en"})
    own = tmp_path / "mine" / "data" / "tasks" / "intent" / "train.jsonl.gz"
    own.parent.mkdir()
    own.write_bytes(b"mine")
    before = (tmp_path / "mine" / "params.yaml").read_text(encoding="utf-8")
    with pytest.raises(DataError, match="has files that are in no version of it"):
        list(take_over(example("intent"), tmp_path / "mine", True, force=False))
    assert own.read_bytes() == b"mine"
    told = list(take_over(example("intent"), tmp_path / "mine", True, force=True))
    assert "data/tasks/intent/train.jsonl.gz: 17 kB, replaced" in told
    assert (tmp_path / "mine" / BEFORE).read_text(encoding="utf-8") == before
    assert told[-1] == "next: lianzi run"
    list(take_over(example("ner"), tmp_path / "mine", True, force=True))
    assert (tmp_path / "mine" / BEFORE).read_text(encoding="utf-8") == before


def test_data_that_dvc_has_give_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_project(tmp_path / "mine", {"mood": "en"})
    own = tmp_path / "mine" / "data" / "corpus" / "old.txt"
    own.write_text("some text")
    monkeypatch.chdir(tmp_path / "mine")
    from dvc.repo import Repo

    with Repo() as repo:
        repo.add("data")
    told = list(take_over(example("intent"), tmp_path / "mine", True, force=False))
    assert "data/: 1 files give way; `git checkout data.dvc && dvc checkout data.dvc` brings them back" in told
    assert not own.exists()
    assert any(stage.name == "finetune@intent" for stage in read_graph(tmp_path / "mine"))


def test_an_example_that_there_is_not_is_refused_naming_the_nearest() -> None:
    with pytest.raises(ParameterError, match="no example 'intnet'") as refusal:
        example("intnet")
    assert "nearest: intent" in str(refusal.value)


def test_the_wheel_brings_every_file_of_every_example(root: Path) -> None:
    content = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    listed = {
        path
        for folder, patterns in content["tool"]["setuptools"]["data-files"].items()
        for pattern in patterns
        for path in root.glob(pattern)
        if folder == f"{SHARED}/{path.parent.relative_to(root).as_posix()}".rstrip("/.")
    }
    there = {path for path in (root / "examples").rglob("*") if path.is_file()}
    assert not there - listed


def test_settings_name_tasks_of_known_kinds() -> None:
    for one in examples().values():
        for task in read_yaml(one.folder / SETTINGS)["tasks"].values():
            TaskConfig.model_validate(task)
