"""flows.recipes: DVC's stages as commands, parameters and paths."""

from __future__ import annotations

from pathlib import Path

from components.params import Params
from flows.recipes import changed_keys, read_recipes
from flows.settings import what_if


def test_a_matrix_stage_has_its_own_words_and_paths(root: Path, params: Params) -> None:
    recipes = read_recipes(root)
    assert "data.dvc" not in recipes
    recipe = recipes["finetune@topic"]
    assert recipe.words[:3] == ("finetune", "--task", "topic")
    assert recipe.path("teacher") == Path("artifacts/topic/teacher")
    assert "artifacts/pretrained" in recipe.reads
    assert "artifacts/topic/teacher" in recipe.writes
    assert set(recipe.sections(params)) == {"trainer", "finetune", "tasks.topic"}
    assert recipe.sections(params)["tasks.topic"] == params.tasks["topic"]
    control = recipes["train_from_scratch@topic"]
    assert "artifacts/topic/scratch" in control.writes
    assert set(control.sections(params)) == {"trainer", "finetune", "tasks.topic"}


def test_a_changed_parameter_concerns_the_stages_that_name_it(root: Path, params: Params) -> None:
    changed = changed_keys(params, what_if(root / "params.yaml", ("model.depth=5", "tasks.form.max_length=32")))
    assert changed == {"model.depth", "tasks.form.max_length"}
    concerned = {name for name, recipe in read_recipes(root).items() if recipe.depends_on(changed)}
    assert {"pretrain", "finetune@form", "evaluate@form", "curate"} <= concerned
    assert not {"finetune@topic", "tokenize", "evaluate@topic"} & concerned
