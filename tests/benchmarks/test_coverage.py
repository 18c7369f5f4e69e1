from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.coverage import page
from benchmarks.coverage_adaptation import ADAPTATIONS, Adapting
from benchmarks.coverage_distillation import HALF, STUDENTS, Distilling
from benchmarks.coverage_tasks import TaskTraining, kinds, proven


@pytest.mark.parametrize("kind", kinds())
@pytest.mark.parametrize("adaptation", ADAPTATIONS)
def test_preferences_are_learned_by_generation_alone(kind: str, adaptation: str, tmp_path: Path) -> None:
    cell = proven(Adapting(tmp_path, kind, ADAPTATIONS[adaptation]), [accepted])
    if adaptation.startswith("dpo") and kind != "generation":
        assert cell == {"refused": "set it to supervised, or the kind to generation"}
    elif adaptation == "frozen" and kind in ("generation", "summarization", "translation"):
        assert cell == {"refused": "set it to lora or full"}
    else:
        assert cell == {"done": ["accepted"]}


@pytest.mark.parametrize(
    ("student", "refused"),
    [("attention_relations", "translation"), ("sequence_level", "classification")],
)
def test_a_student_that_params_refuse_is_refused_with_what_fits(student: str, refused: str, tmp_path: Path) -> None:
    cells = {kind: proven(Distilling(tmp_path, kind, HALF | STUDENTS[student]), [accepted]) for kind in kinds()}
    assert cells["generation"] == {"done": ["accepted"]}
    assert "set " in cells[refused]["refused"]


def test_a_proof_that_does_not_hold_stands_in_its_cell(tmp_path: Path) -> None:
    cell = proven(Adapting(tmp_path, "classification", {}), [accepted, answers_nothing])
    assert cell == {"done": ["accepted"], "failed": "answers nothing: no answers"}


def test_the_page_has_a_cell_for_every_pair() -> None:
    cells = {"generation x dpo": {"done": []}, "retrieval x dpo": {"refused": "set it to supervised"}}
    lines = page({"adaptations": cells}).splitlines()
    assert "| `generation` | not tried | not tried | not tried | not tried | yes | not tried |" in lines
    assert "| `retrieval` | not tried | not tried | not tried | not tried | refused | not tried |" in lines
    assert lines[-1] == "| a refusal names | – | – | – | – | set it to supervised | – |"


def accepted(training: TaskTraining) -> None:
    assert training.params.tasks


def answers_nothing(training: TaskTraining) -> None:
    raise AssertionError("no answers")
