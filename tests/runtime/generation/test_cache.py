from __future__ import annotations

import numpy as np

from components.runtime.generation.cache import CacheSlot, left_pad, mask_of, split_cache, stack_cache


def arrays(rows: int, tokens: int) -> list[np.ndarray]:
    """A key and a value whose numbers tell row and token."""
    numbers = 100 * np.arange(rows)[:, None] + np.arange(tokens)[None, :]
    return [np.broadcast_to(numbers[:, None, :, None], (rows, 2, tokens, 3)).astype(np.float32) for _ in range(2)]


def test_rows_of_several_batches_come_together_at_the_right() -> None:
    one, other = arrays(2, 5), arrays(1, 3)
    batch = stack_cache([CacheSlot(one, 1, 2, 5), CacheSlot(other, 0, 0, 1)])
    assert batch[0][0, 0, :, 0].tolist() == [102, 103, 104]
    assert batch[1][1, 1, :, 2].tolist() == [0, 0, 0]
    assert batch[0].shape == (2, 2, 3, 3)


def test_a_batch_that_stayed_as_it_was_is_not_copied() -> None:
    made = arrays(2, 4)
    assert stack_cache(split_cache(made, [4, 2])) is made


def test_rows_that_left_changed_places_or_stand_at_the_left_are_copied() -> None:
    made = arrays(2, 4)
    first, second = split_cache(made, [4, 4])
    assert stack_cache([second, first])[0][0, 0, 0, 0] == 100
    assert stack_cache([first])[0].shape[0] == 1
    left = stack_cache([CacheSlot(made, 0, 0, 4), CacheSlot(made, 1, 0, 2)])
    assert left[0][1, 0, :, 0].tolist() == [0, 0, 100, 101]


def test_masks_and_ids_stand_at_the_right_too() -> None:
    assert mask_of([3, 1]).tolist() == [[1, 1, 1], [0, 0, 1]]
    assert left_pad([[7, 8, 9], [5]], pad_id=0).tolist() == [[7, 8, 9], [0, 0, 5]]
