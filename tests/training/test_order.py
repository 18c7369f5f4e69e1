import numpy as np
import pytest

from components.training.order import BucketedOrder, WindowOrder


def test_an_epoch_visits_every_window_once() -> None:
    order = WindowOrder(tokens=1000, length=10, batch_size=9, seed=1)
    starts = np.concatenate([order.samples(step) for step in range(11)])
    assert len(set(starts)) == order.windows == 99
    assert set((starts - starts.min()) % 10) == {0}
    assert starts.min() >= 0
    assert starts.max() + 10 <= 1000


def test_epochs_differ_in_order_and_offset() -> None:
    order = WindowOrder(tokens=1000, length=10, batch_size=99, seed=1)
    assert len({int(order.samples(epoch).min()) for epoch in range(8)}) > 1
    assert not np.array_equal(order.samples(0), order.samples(1))


def test_a_step_does_not_depend_on_the_steps_before_it() -> None:
    walked = WindowOrder(1000, 10, 8, seed=1)
    for step in range(40):
        walked.samples(step)
    assert np.array_equal(walked.samples(40), WindowOrder(1000, 10, 8, seed=1).samples(40))
    assert not np.array_equal(walked.samples(40), WindowOrder(1000, 10, 8, seed=2).samples(40))


@pytest.mark.parametrize("tokens", [10, 19, 20])
def test_a_corpus_of_one_window_is_enough(tokens: int) -> None:
    starts = WindowOrder(tokens, length=10, batch_size=4, seed=1).samples(3)
    assert len(starts) == 4
    assert starts.max() + 10 <= tokens


def test_an_epoch_of_batches_holds_every_sample_once() -> None:
    order = BucketedOrder(np.arange(100) % 30 + 1, batch_size=8, seed=1)
    assert order.steps_per_epoch == 13
    for epoch in range(2):
        steps = range(epoch * 13, epoch * 13 + 13)
        assert sorted(np.concatenate([order.samples(step) for step in steps])) == list(range(100))
    assert not np.array_equal(order.samples(0), order.samples(13))


def test_batches_hold_texts_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 200, size=2000)
    order = BucketedOrder(lengths, batch_size=16, seed=1)
    batches = [lengths[order.samples(step)] for step in range(order.steps_per_epoch)]
    padded = sum(len(batch) * batch.max() for batch in batches)
    assert padded < 1.1 * lengths.sum()
