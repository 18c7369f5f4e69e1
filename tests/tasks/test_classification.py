from __future__ import annotations

import pytest

from components.tasks.classification import Classification


def test_labels_are_those_of_the_training_rows_in_their_order() -> None:
    assert Classification.fit(["sea", "field", "sea"]) == Classification(("field", "sea"))
    with pytest.raises(ValueError, match="every train row has the label 'sea'"):
        Classification.fit(["sea", "sea"])
