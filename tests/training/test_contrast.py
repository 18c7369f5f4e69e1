"""What questions and answers of a batch are compared by."""

from __future__ import annotations

import torch

from components.training.contrast import in_batch_scores

NEVER = -1e4


def test_a_question_is_compared_with_all_answers_but_its_own_elsewhere() -> None:
    """Rows 0 and 1 share answer 7, which is a negative of row 2, whose second negative is not there."""
    vectors = torch.eye(4)[torch.tensor([0, 0, 1, 2, 1, 0, 1, 0, 2, 2, 0, 3])]
    batch = {
        "present": torch.ones(3, 4, dtype=torch.bool),
        "candidates": torch.tensor([[7, 8, 9], [7, 8, 9], [5, 7, -100]]),
        "temperature": 0.5,
    }
    scores = in_batch_scores(vectors, batch, NEVER)
    # Answers of the rows; then the first negatives, then the second ones.
    assert scores.tolist() == [
        [2, NEVER, 0, 0, 0, NEVER, 0, 2, NEVER],
        [NEVER, 0, 0, 2, 2, NEVER, 0, 0, NEVER],
        [0, 0, 2, 0, 0, 0, 2, 0, NEVER],
    ]
