"""components.declared: what dvc.yaml says of a stage, read without DVC."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.declared import declared
from components.errors import ArtifactError
from components.params import read_yaml
from flows.recipes import read_recipes

PARAMS = read_yaml(Path(__file__).parent.parent / "params.yaml")


def test_a_stages_inputs_and_outputs_are_told_apart_by_the_graph() -> None:
    found = declared("pretrain", PARAMS)
    assert found.reads == ("tokens", "tokenizer")
    assert found.writes == ("pretrained", "metrics", "curves")
    assert "torch" in found.libraries
    assert "components/training/pretrain.py" in found.code
    assert all(file.is_file() for file in found.files())


def test_a_matrix_stage_has_the_parameters_of_its_own_task() -> None:
    found = declared("finetune@topic", PARAMS)
    assert found.reads == ("rows", "pretrained")
    assert found.writes == ("teacher", "metrics", "curves")
    assert "tasks.topic" in found.params


def test_code_is_named_by_what_the_parameters_choose() -> None:
    chosen = {"model": {"architecture": "llama"}, "pretrain": {"objective": {"name": "clm"}}, "tasks": PARAMS["tasks"]}
    code = declared("pretrain", chosen).code
    assert [path for path in code if path.endswith(("/llama.py", "/modernbert.py"))] == [
        "components/modeling/architectures/llama.py"
    ]
    assert "components/modeling/objectives/clm.py" in code
    assert "components/tasks/classification.py" in declared("finetune@topic", chosen).code


def test_what_the_parameters_lack_stays_as_it_is_written() -> None:
    """They are checked elsewhere, and so is a task that there is none of."""
    assert "components/tasks/${item.kind}.py" in declared("finetune", PARAMS).code
    assert "components/modeling/architectures/${model.architecture}.py" in declared("pretrain", {}).code


def test_it_says_what_dvc_says(root: Path) -> None:
    """No edge is read otherwise here than there."""
    for name, recipe in read_recipes(root).items():
        found = declared(name, PARAMS)
        assert {*found.params, *found.libraries} == set(recipe.params), name
        assert set(found.code) == {path for path in recipe.reads if path.startswith("components/")}, name
        assert {str(recipe.path(option)) for option in found.reads} <= set(recipe.reads), name
        assert {str(recipe.path(option)) for option in found.writes} == set(recipe.writes), name


def test_a_stage_that_dvc_yaml_does_not_know_is_refused() -> None:
    with pytest.raises(ArtifactError, match="no stage 'pretrian'"):
        declared("pretrian", PARAMS)
