"""flows.settings: the project's folder, and --set."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from components.corpus.config import SourceConfig
from components.deployment.config import ADDED_LATER
from components.errors import ParameterError
from components.params import load_params, read_yaml
from flows.settings import add_source, change_params, check_checkpoint, project_root, ready_project, set_values
from tests.small_families import family_checkpoint


@pytest.fixture
def params_file(tmp_path: Path, root: Path) -> Path:
    path = tmp_path / "params.yaml"
    path.write_bytes((root / "params.yaml").read_bytes())
    return path


def test_a_setting_changes_the_file_and_nothing_else_in_it(params_file: Path) -> None:
    before = params_file.read_text(encoding="utf-8")
    lines = change_params(params_file, ("finetune.epochs=9", "pretrain.objective.temperature=0.1"))
    after = params_file.read_text(encoding="utf-8")
    changed = [(old, new) for old, new in zip(before.splitlines(), after.splitlines(), strict=True) if old != new]
    assert len(changed) == 2
    assert load_params(params_file).finetune.epochs == 9
    assert lines[1].startswith("params.yaml: pretrain.objective.temperature: 0.05 -> 0.1")
    assert "# " in after


def test_another_objective_takes_its_own_parameters_along(params_file: Path) -> None:
    told = change_params(params_file, ("pretrain.objective.name=nsp",))
    assert told == ["params.yaml: pretrain.objective.name: contrastive -> nsp, without temperature, contrast_weight"]
    assert load_params(params_file).pretrain.objective.model_dump() == {"name": "nsp", "mask_probability": 0.15}
    assert "# docs/objectives.md has a table" in params_file.read_text(encoding="utf-8")
    change_params(params_file, ("pretrain.objective={name: clm}",))
    with pytest.raises(ParameterError, match=r"mask_probability: missing\nwrite objective: {name: nsp, mask_prob"):
        change_params(params_file, ("pretrain.objective.name=nsp",))
    change_params(params_file, ("pretrain.objective.name=nsp", "pretrain.objective.mask_probability=0.2"))
    assert load_params(params_file).pretrain.objective.model_dump() == {"name": "nsp", "mask_probability": 0.2}


def test_setting_a_value_to_what_it_is_leaves_the_bytes(params_file: Path, root: Path) -> None:
    change_params(params_file, (f"seed={load_params(params_file).seed}",))
    assert params_file.read_bytes() == (root / "params.yaml").read_bytes()


def test_a_task_is_added_from_the_command_line(params_file: Path) -> None:
    before = params_file.read_text(encoding="utf-8").splitlines()
    lines = change_params(params_file, ("tasks.spam={kind: classification, language: en, max_length: 64}",))
    assert lines == ["params.yaml: tasks.spam: {kind: classification, language: en, max_length: 64}, new"]
    after = params_file.read_text(encoding="utf-8").splitlines()
    assert [line for line in after if line not in before] == [
        "  spam: {kind: classification, language: en, max_length: 64}"
    ]
    assert load_params(params_file).tasks["spam"].max_length == 64
    change_params(params_file, ("tasks.spam.max_length=96",))
    assert load_params(params_file).tasks["spam"].max_length == 96


def test_a_source_is_added_and_one_that_is_there_keeps_what_was_not_said(params_file: Path) -> None:
    add_source(params_file, "letters", SourceConfig(weight=1.0, language="zh", licence="MIT"), [])
    change_params(params_file, ("corpus.letters.weight=0.5",))
    lines = add_source(params_file, "letters", SourceConfig(weight=1.0, language="en", licence="unknown"), ["language"])
    entry = load_params(params_file).corpus["letters"]
    assert (entry.weight, entry.language, entry.licence) == (0.5, "en", "MIT")
    assert len(lines) == 1
    assert "# data/corpus/NAME" in params_file.read_text(encoding="utf-8")
    assert add_source(params_file, "letters", entry, ["language", "licence"]) == []


def test_a_project_from_before_some_limits_has_none_of_them_and_takes_them(params_file: Path) -> None:
    content = read_yaml(params_file)
    content["release"] = {name: value for name, value in content["release"].items() if name not in ADDED_LATER}
    YAML().dump(content, params_file)
    read = load_params(params_file).release
    assert {name: getattr(read, name) for name in ADDED_LATER} == ADDED_LATER
    assert change_params(params_file, ("release.approval=true",)) == ["params.yaml: release.approval: True, new"]
    assert load_params(params_file).release == read.model_copy(update={"approval": True})


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (("finetune.epoch=9",), "finetune.epoch: unknown parameter\ndid you mean 'finetune.epochs'"),
        (("finetune.epochs=9", "pretrain.steps=-1"), "pretrain.steps: input should be greater"),
        (("finetune.epochs",), "expected KEY=VALUE"),
        (("finetune.epochs=[1",), "not a YAML value"),
        (("finetune=3",), "finetune: input should be"),
        (("tasks.spam=3",), "tasks.spam: unknown parameter"),
        (("tasks.spam={kind: classification}",), "tasks.spam.language: missing"),
        (("tasks.topik.max_length=32",), "did you mean 'tasks.topic.max_length'"),
        (("finetune.lr=1e-4",), "finetune.lr: unknown parameter\ndid you mean 'finetune.learning_rate'?"),
        (("finetune.length=3",), "finetune.length: unknown parameter\nfinetune has loss, adapter, "),
        (("fine_tune.epochs=3",), "did you mean 'finetune.epochs'?"),
        (("tasks.topic.length=3",), "did you mean 'tasks.topic.max_length'?"),
        (
            ("tasks.question_type.kind=classification",),
            "whole: --set 'tasks.question_type={kind: …, language: …,",
        ),
        (
            ("pretrain.objective=mlm",),
            "--set: pretrain: write objective: {name: mlm, mask_probability: …, masking: …, whole_word: …}",
        ),
        (("pretrain.objective.name=mml",), "objective.name: no objective 'mml'; known: mlm, nsp, sop, "),
        (("pretrain.temperature=0.1",), "did you mean 'pretrain.objective.temperature'?"),
        (("tasks.topic.kind=regresion",), "tasks.topic.kind: no task kind 'regresion'; nearest: regression"),
        (("seed.all=3",), "seed.all: unknown parameter\nseed is a value of its own"),
        (("finetune.new={a: 1}",), "finetune.new: unknown parameter"),
    ],
)
def test_a_wrong_setting_is_told_and_nothing_is_written(
    params_file: Path, root: Path, settings: tuple[str, ...], told: str
) -> None:
    with pytest.raises(ParameterError) as refusal:
        change_params(params_file, settings)
    assert told in str(refusal.value)
    assert params_file.read_bytes() == (root / "params.yaml").read_bytes()
    assert [path.name for path in params_file.parent.iterdir()] == ["params.yaml"]


def test_the_project_is_found_from_a_folder_inside_it(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root / "components" / "corpus")
    assert project_root() == root


def test_outside_a_project_a_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match="no Lianzi project"):
        project_root()


@pytest.mark.parametrize("root", ["/nonexist", "", "\0", None, 3, ["."]])
def test_a_root_that_is_no_project_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: object
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match="no Lianzi project there\n"):
        ready_project(root)


def test_values_are_set_by_name_and_what_is_so_already_is_not_told(params_file: Path) -> None:
    before = params_file.read_bytes()
    values = {"pretrain.init_from": "a: b # c", "finetune.epochs": load_params(params_file).finetune.epochs}
    assert set_values(params_file, values, write=False) == {"pretrain.init_from": (None, "a: b # c")}
    assert params_file.read_bytes() == before
    set_values(params_file, values, write=True)
    assert load_params(params_file).pretrain.init_from == "a: b # c"
    with pytest.raises(ParameterError, match="finetune"):
        set_values(params_file, {"seed": 3, "finetune.epochs": -1}, write=True)
    assert load_params(params_file).seed != 3


def test_a_project_whose_checkpoint_is_cut_short_is_not_ready(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params_file: Path
) -> None:
    base = family_checkpoint("bert", tmp_path / "base")
    set_values(
        params_file,
        {
            "pretrain.init_from": str(base),
            "model.architecture": "bert",
            "pretrain.objective": {"name": "nsp", "mask_probability": 0.15},
        },
        write=True,
    )
    params = load_params(params_file)
    check_checkpoint(params, pretrain_runs=False)
    (base / "model.safetensors").write_bytes((base / "model.safetensors").read_bytes()[:-1])
    check_checkpoint(params, pretrain_runs=False)
    with pytest.raises(ParameterError, match="cut short"):
        check_checkpoint(params, pretrain_runs=True)
