import numpy as np
import pytest

from components.training.batches import Part
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


def test_a_batch_may_span_epochs() -> None:
    order = WindowOrder(tokens=100, length=10, batch_size=25, seed=1)
    starts = np.concatenate([order.samples(step) for step in range(9)])
    for epoch in range(25):
        assert len(set(starts[epoch * 9 : (epoch + 1) * 9])) == 9
    assert starts.max() + 10 <= 100


@pytest.mark.parametrize("tokens", [10, 19, 20])
def test_a_corpus_of_one_window_is_enough(tokens: int) -> None:
    starts = WindowOrder(tokens, length=10, batch_size=4, seed=1).samples(3)
    assert len(starts) == 4
    assert starts.max() + 10 <= tokens


def test_any_window_step_alone_is_what_walking_there_gives() -> None:
    walked = WindowOrder(1000, 10, 8, seed=1)
    starts = [walked.samples(step) for step in range(41)]
    for step in np.random.default_rng(0).permutation(41):
        assert np.array_equal(WindowOrder(1000, 10, 8, seed=1).samples(int(step)), starts[step])
    assert not np.array_equal(starts[40], WindowOrder(1000, 10, 8, seed=2).samples(40))


def test_any_bucketed_step_alone_is_what_walking_there_gives() -> None:
    lengths = np.random.default_rng(0).integers(5, 200, size=301)
    walked = BucketedOrder(lengths, 8, seed=1)
    batches = [walked.samples(step) for step in range(80)]
    for step in np.random.default_rng(0).permutation(80):
        assert np.array_equal(BucketedOrder(lengths, 8, seed=1).samples(int(step)), batches[step])
    assert not np.array_equal(batches[40], BucketedOrder(lengths, 8, seed=2).samples(40))


def test_an_epoch_of_batches_holds_every_sample_once() -> None:
    order = BucketedOrder(np.arange(100) % 30 + 1, batch_size=8, seed=1)
    assert order.steps_per_epoch == 13
    for epoch in range(2):
        steps = range(epoch * 13, epoch * 13 + 13)
        assert sorted(np.concatenate([order.samples(step) for step in steps])) == list(range(100))
    assert not np.array_equal(order.samples(0), order.samples(13))


@pytest.mark.parametrize("samples", [1, 2, 31, 32, 33, 100, 257, 1025])
@pytest.mark.parametrize("batch_size", [1, 8, 32])
def test_batches_of_an_epoch_differ_by_one_sample_at_most(samples: int, batch_size: int) -> None:
    order = BucketedOrder(np.arange(samples) % 17 + 1, batch_size, seed=3)
    batches = [order.samples(step) for step in range(order.steps_per_epoch)]
    sizes = [len(batch) for batch in batches]
    assert max(sizes) <= batch_size
    assert max(sizes) - min(sizes) <= 1
    assert sorted(np.concatenate(batches)) == list(range(samples))


def test_batches_hold_texts_of_like_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 200, size=2000)
    order = BucketedOrder(lengths, batch_size=16, seed=1)
    batches = [lengths[order.samples(step)] for step in range(order.steps_per_epoch)]
    padded = sum(len(batch) * batch.max() for batch in batches)
    assert padded < 1.1 * lengths.sum()


def test_batches_of_like_lengths_come_in_random_order() -> None:
    lengths = np.random.default_rng(0).integers(5, 200, size=2000)
    order = BucketedOrder(lengths, batch_size=16, seed=1)
    means = np.array([lengths[order.samples(step)].mean() for step in range(order.steps_per_epoch)])
    assert abs(np.corrcoef(means[:-1], means[1:])[0, 1]) < 0.3


@pytest.mark.parametrize(("world", "accumulate"), [(1, 4), (2, 1), (3, 2), (5, 1)])
def test_ranks_and_micro_batches_together_see_the_whole_batch(world: int, accumulate: int) -> None:
    order = BucketedOrder(np.arange(100) % 30 + 1, batch_size=16, seed=1)
    for step in range(order.steps_per_epoch):
        batch = order.samples(step)
        parts = [
            batch[Part(micro * world + rank, world * accumulate).rows(len(batch))]
            for micro in range(accumulate)
            for rank in range(world)
        ]
        assert np.array_equal(np.concatenate(parts), batch)
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
