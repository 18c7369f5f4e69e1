"""components.serving.garbage: what stays is not walked, and what goes out of use is collected all the same."""

from __future__ import annotations

import gc
import weakref

from components.serving.garbage import settle


class Model:
    """An object that refers to itself, so that only the collector of cycles ends it."""

    def __init__(self) -> None:
        self.itself = self


def test_a_frozen_model_stays_while_it_is_in_use_and_goes_the_next_time() -> None:
    model = Model()
    seen = weakref.ref(model)
    settle()
    assert gc.get_freeze_count() > 0
    del model
    gc.collect()
    assert seen() is not None, "frozen, it is not walked"
    settle()
    assert seen() is None
