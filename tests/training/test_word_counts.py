from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from components.artifacts import write_manifest
from components.tasks.classification import Classification
from components.tasks.rows import EVERY_ROW
from components.training.word_counts import FOLDS, WordCounts, best_share

TASK = Classification(("animals", "numbers"))
WORDS = {"animals": ("whale", "horse", "crow", "ant"), "numbers": ("seven", "twelve", "forty", "nine")}


def task(folder: Path, rows: int = 40, every: int = 4) -> Path:
    """Texts that their words give away; `rows` of training, a quarter of them for validation."""
    folder.mkdir()
    for split, count in (("train", rows), ("validation", rows // every)):
        lines = [
            {"text": f"the {WORDS[label][number % 4]} and the {WORDS[label][(number + 1) % 4]}", "label": label}
            for number, label in ((number, TASK.labels[number % 2]) for number in range(count))
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    write_manifest(folder, "task", {}, **TASK.manifest())
    return folder


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return task(tmp_path_factory.mktemp("counts") / "task")


def test_a_teacher_that_knows_nothing_leaves_a_share_to_counting_words(rows: Path) -> None:
    found = WordCounts.of(rows, EVERY_ROW, TASK, "en", torch.full((10, 2), 0.5))
    assert found is not None
    assert found.share > 0
    assert found.probabilities.shape == (40, 2)
    assert torch.allclose(found.probabilities.sum(dim=1), torch.ones(40))
    right = found.probabilities.argmax(dim=1) == torch.arange(40) % 2
    assert right.all()


def test_a_teacher_that_is_always_right_teaches_alone(rows: Path) -> None:
    right = torch.eye(2)[torch.arange(10) % 2]
    assert WordCounts.of(rows, EVERY_ROW, TASK, "en", right) is None


def test_the_same_rows_give_the_same_probabilities(rows: Path) -> None:
    one, other = (WordCounts.of(rows, EVERY_ROW, TASK, "en", torch.full((10, 2), 0.5)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert torch.equal(one.probabilities, other.probabilities)


def test_labels_with_fewer_rows_than_folds_teach_nothing(tmp_path: Path) -> None:
    few = task(tmp_path / "task", rows=2 * (FOLDS - 1), every=2)
    assert WordCounts.of(few, EVERY_ROW, TASK, "en", torch.full((FOLDS - 1, 2), 0.5)) is None


def test_of_equal_shares_the_smallest_is_taken() -> None:
    sure = np.eye(2)[[0, 1, 0, 1]]
    assert best_share(TASK, sure, sure, np.array([0, 1, 0, 1])) == 0.0
    assert best_share(TASK, sure[::-1], sure, np.array([0, 1, 0, 1])) == 0.75


def test_a_mixture_at_temperature_1_is_the_mean_of_both() -> None:
    counts = WordCounts(0.5, torch.empty(0, 2))
    teacher, counted = torch.tensor([[0.8, 0.2]]), torch.tensor([[0.4, 0.6]])
    mixed = counts.mixed(teacher.log(), counted, 1.0)
    assert torch.allclose(mixed.softmax(dim=1), torch.tensor([[0.6, 0.4]]), atol=1e-5)


def test_a_probability_of_nothing_stays_finite() -> None:
    mixed = WordCounts(0.5, torch.empty(0, 2)).mixed(torch.tensor([[90.0, -90.0]]), torch.tensor([[0.0, 1.0]]), 2.0)
    assert torch.isfinite(mixed).all()
