from __future__ import annotations

import numpy as np

from components.inference.sessions import shapes


def test_equal_shapes_are_told_once() -> None:
    row = np.ones((1, 3))
    assert shapes({"input_ids": row, "attention_mask": row}) == "shape (1, 3)"
    assert shapes({"input_ids": row, "past": np.ones((1, 0))}) == "shapes (1, 3), (1, 0)"
