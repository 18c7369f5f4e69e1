"""components.modeling.config."""

from __future__ import annotations

from pathlib import Path

from components.modeling.config import OBJECTIVES
from tests.small_params import checked, refused


def test_a_width_is_made_of_whole_heads() -> None:
    assert "model.width: input should be a multiple of 64, not 100" in refused({"model.width": 100})
    assert checked({"model.width": None}).model.width is None


def test_an_architecture_is_one_that_is_known() -> None:
    assert "model.architecture: input should be 'modernbert', 'bert', " in refused({"model.architecture": "bloom"})


def test_an_objective_has_its_own_parameters_and_no_others() -> None:
    assert checked({"pretrain.objective": {"name": "clm"}}).pretrain.objective.model_dump() == {"name": "clm"}
    masked = {"name": "nsp", "mask_probability": 0.3}
    assert checked({"pretrain.objective": masked}).model_dump()["pretrain"]["objective"] == masked
    written = "write objective: {name: nsp, mask_probability: …}"
    assert f"pretrain.objective.temperature: unknown parameter\n{written}" in refused(
        {"pretrain.objective": masked | {"temperature": 0.1}}
    )
    assert f"pretrain.objective.mask_probability: missing\n{written}" in refused(
        {"pretrain.objective": {"name": "nsp"}}
    )
    assert "pretrain.objective.name: missing" in refused({"pretrain.objective": {}})
    assert "pretrain.objective.name: input should be a valid string" in refused({"pretrain.objective": {"name": [1]}})


def test_every_objective_that_is_a_file_has_its_parameters_in_the_table(root: Path) -> None:
    folder = root / "components/modeling/objectives"
    files = {path.stem for path in folder.glob("*.py") if "LANGUAGE_MODEL =" in path.read_text(encoding="utf-8")}
    assert files == OBJECTIVES.keys()
