from pathlib import Path

import pytest

from components.artifacts import digest, file_hash, read_manifest
from components.run import RecordedRun
from tests.small_tuning import STAGES, Tuner


@pytest.mark.parametrize("name", STAGES)
def test_of_several_seeds_the_best_goes_on_and_the_others_stand_beside_it(
    tune: Tuner, run: RecordedRun, tmp_path: Path, name: str
) -> None:
    several = tune("several", run, classifier=name, epochs=1, seeds=[5, 7])
    alone = {seed: tune(f"alone {seed}", run, classifier=name, epochs=1, seeds=[seed]) for seed in (5, 7)}
    scores = {seed: metrics[name]["macro_f1"] for seed, metrics in alone.items()}
    chosen = max((5, 7), key=lambda seed: scores[seed])
    found = several["seeds"][name]
    assert found["chosen"] == read_manifest(tmp_path / "several" / name, "classifier")["seed"] == chosen
    assert several[name] == alone[chosen][name]
    assert {seed: found["macro_f1"][str(seed)] for seed in (5, 7)} == pytest.approx(scores, abs=1e-6)
    weights, other = "model.safetensors", 12 - chosen
    for path, seed in ((Path(name), chosen), (Path(name, "seeds", str(other)), other)):
        alike = tmp_path / f"alone {seed}" / name / weights
        assert file_hash(tmp_path / "several" / path / weights) == file_hash(alike)
    assert alone[7][name] == tune("the project's", run, classifier=name, epochs=1)[name]
    assert "seeds" not in alone[7]


def test_each_seed_goes_on_from_its_own_checkpoint(tune: Tuner, run: RecordedRun, tmp_path: Path) -> None:
    first = tune("several", run, epochs=1, seeds=[5, 7])
    made = digest(tmp_path / "several" / "teacher")
    assert tune("several", run, epochs=1, seeds=[5, 7]) == first
    assert digest(tmp_path / "several" / "teacher") == made
    went_on = {line.partition(":")[0] for line in run.lines if "going on from step" in line}
    assert went_on == {f"finetune places seed {seed}" for seed in (5, 7)}
