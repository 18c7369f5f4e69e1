"""cli.planner: which stages will run, what is known of them, what is noted for the runs to come."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli import planner as planning
from cli.outcomes import Outcome
from cli.planner import Planner, Prediction, stale_stages
from components.errors import ParameterError
from components.params import Params
from components.resource_usage import prediction
from components.training.config import AdapterConfig
from flows.graph import Stage
from flows.recipes import Recipe, changed_keys, read_recipes
from flows.settings import what_if

LAST = {"seconds": 10.0, "peak_memory_megabytes": 300.0, "input_megabytes": 0.002}


@pytest.fixture
def here(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    shutil.copy(root / "params.yaml", tmp_path)
    return tmp_path


def planner(root: Path, params: Params, inputs: int, known: dict[str, Outcome], stale: bool = True) -> Planner:
    (root / "in").write_bytes(b"x" * inputs)
    recipe = Recipe(("export", "--rows", "in"), ("export",), ("in", "components/deployment"), ("out",))
    return Planner(root, params, {"export": recipe}, {"export": stale}, known, print, root)


def last(params: Params) -> dict[str, Outcome]:
    logged = {f"export.{name}": str(value) for name, value in params.export.model_dump().items()}
    return {"export": Outcome("export", LAST, {}, logged)}


def test_a_stage_is_stale_with_what_it_needs_and_with_its_own_parameters(root: Path, params: Params) -> None:
    recipes = read_recipes(root)
    graph = [
        Stage("data.dvc", (), ()),
        Stage("curate", ("data.dvc",), ()),
        Stage("pretrain", ("curate",), ()),
        Stage("finetune@topic", ("pretrain",), ()),
        Stage("finetune@form", ("curate",), ()),
    ]
    changed = changed_keys(params, what_if(root / "params.yaml", ("pretrain.steps=9",)))
    assert stale_stages(graph, recipes, changed) == {
        "curate": False,
        "pretrain": True,
        "finetune@topic": True,
        "finetune@form": False,
    }


def test_a_fresh_stage_is_named_as_fresh(here: Path, params: Params) -> None:
    assert planner(here, params, 1, {}, stale=False).predict("export") == Prediction("export", fresh=True)


def test_a_stage_that_never_ran_is_not_known(here: Path, params: Params) -> None:
    found = planner(here, params, 1, {}).predict("export")
    assert (found.seconds, found.memory, found.note) == (None, None, "not known yet")
    assert found.metrics() == {}


def test_a_stage_takes_what_it_took_last_time(here: Path, params: Params) -> None:
    found = planner(here, params, 2000, last(params)).predict("export")
    assert (found.seconds, found.memory, found.note) == (10.0, 3e8, "as its last run")


def test_larger_inputs_take_longer(here: Path, params: Params) -> None:
    found = planner(here, params, 3000, last(params)).predict("export")
    assert (found.seconds, found.note) == (15.0, "as its last run, x 1.50 for its inputs")


def test_other_parameters_are_said(here: Path, params: Params) -> None:
    other = params.model_copy(update={"export": params.export.model_copy(update={"opset": 18})})
    found = planner(here, other, 2000, last(params)).predict("export")
    assert found.note == "as its last run, under other parameters"


def test_predictions_are_noted_beside_earlier_ones(here: Path, params: Params) -> None:
    recipe = Recipe((), ("export",), (), ())
    for opset, seconds in ((18, 5.0), (20, 7.0)):
        changed = params.model_copy(update={"export": params.export.model_copy(update={"opset": opset})})
        planning._note({"export": (recipe, Prediction("export", seconds=seconds, memory=2e8))}, changed)
    expected = {"seconds": 7.0, "peak_memory_megabytes": 200.0}
    assert prediction("export", {"config": params.export}) == expected
    earlier = params.export.model_copy(update={"opset": 18})
    assert prediction("export", {"config": earlier})["seconds"] == 5.0


def test_a_what_if_leaves_the_file_as_it_is(here: Path) -> None:
    before = (here / "params.yaml").read_bytes()
    assert what_if(here / "params.yaml", ("pretrain.steps=9",)).pretrain.steps == 9
    with pytest.raises(ParameterError, match=r"did you mean 'pretrain\.steps'"):
        what_if(here / "params.yaml", ("pretrain.stepz=9",))
    assert (here / "params.yaml").read_bytes() == before


def test_a_control_takes_what_its_teacher_takes_where_both_are_trained_whole(here: Path, params: Params) -> None:
    stage, frozen = "train_from_scratch@form", AdapterConfig(name="frozen")
    assert planner(here, params, 1, {})._same_training(stage) == "finetune@form"
    for change in ({"adapter": frozen}, {"layer_decay": 0.9}):
        other = params.model_copy(update={"finetune": params.finetune.model_copy(update=change)})
        assert planner(here, other, 1, {})._same_training(stage) == stage
    assert planner(here, params, 1, {})._same_training("distill@form") == "distill@form"


def test_a_checkpoint_taken_as_it_is_needs_no_measuring(here: Path, params: Params) -> None:
    section = params.pretrain.model_copy(update={"steps": 0, "init_from": "base"})
    taken = Planner(here, params.model_copy(update={"pretrain": section}), {}, {"pretrain": True}, {}, print, here)
    assert taken.predict("pretrain").note == "takes the checkpoint as it is"
