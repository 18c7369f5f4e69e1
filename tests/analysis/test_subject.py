"""components.analysis.subject."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.analysis.subject import Subject, read_subject
from components.tasks.rows import EVERY_ROW
from tests.small_ladder import Ladder
from tests.small_subjects import small_subject


@pytest.fixture(scope="module")
def subject(ladder: Ladder) -> Subject:
    folders = (ladder.rows, ladder.rows, Path("artifacts/corpus"), ladder.student, ladder.bundle)
    return read_subject("places", "en", *folders, EVERY_ROW, 17, 100, 0.95)


def test_its_answers_are_those_of_the_bundles_candidate(subject: Subject) -> None:
    assert len(subject.ids) == len(subject.test.texts) == len(subject.answers) == 60
    assert (subject.answer(subject.test.texts) == subject.answers).all()
    assert (subject.answers == subject.test.targets).mean() > 0.6


def test_the_likeliest_label_is_the_answer(subject: Subject) -> None:
    probabilities = subject.probabilities
    assert probabilities is not None
    assert subject.validation_probabilities is not None
    assert probabilities.shape == (60, len(subject.task.labels))
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert (probabilities.argmax(axis=1) == subject.answers).all()
    assert subject.probability is not None
    assert np.allclose(subject.probability(subject.test.texts[:3]), probabilities[:3], atol=1e-5)


def test_its_training_rows_have_their_names(subject: Subject) -> None:
    assert [row["text"] for row in subject.train_columns] == subject.train.texts
    assert len({row["id"] for row in subject.train_columns}) == len(subject.train.texts)


def test_a_made_up_subject_has_rows_with_ids() -> None:
    subject = small_subject(["sea", "city"], ["wave", "street"], [0, 1], [0, 0], columns=[{"source": "a"}, {}])
    assert subject.ids == ["test/line-1", "test/line-2"]
    assert subject.columns[0] == {"id": "test/line-1", "text": "wave", "label": "sea", "source": "a"}
