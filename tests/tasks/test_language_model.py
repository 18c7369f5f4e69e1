from __future__ import annotations

import numpy as np
import pytest

from components.tasks.generation import Generation
from components.tasks.language_model import LABELS
from components.tasks.summarization import Summarization


@pytest.mark.parametrize("kind", [Generation, Summarization])
def test_its_outputs_are_over_the_vocabulary_whatever_the_rows_say(kind: type[Generation | Summarization]) -> None:
    task = kind.fit(["a tale"])
    assert task.labels == LABELS
    assert kind.from_manifest(task.manifest()) == task
    assert task.class_counts(np.zeros((2, 3)), np.zeros((2, 3))) == {}


def test_a_target_is_a_text_that_has_something_in_it() -> None:
    Summarization.fit([]).check("short")
    for given in ("  ", 3):
        with pytest.raises(ValueError, match=f"target {given!r} is no text"):
            Summarization.fit([]).check(given)


def test_a_row_has_an_empty_label_for_those_who_look_at_every_rows() -> None:
    assert Summarization.fit([]).row("long", "short") == {"text": "long", "target": "short", "label": ""}
    assert Generation.fit([]).row("a tale", "a tale") == {"text": "a tale", "label": ""}
