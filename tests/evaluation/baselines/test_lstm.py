from __future__ import annotations

import numpy as np
import torch

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.lstm import EPOCHS, LONGEST, Lstm, Network, numbered
from components.evaluation.baselines.word_vectors import SIZE, WordVectors
from components.tasks.classification import Classification

ORDERS = Classification(("ab", "ba"))


def rows(count: int, seed: int) -> Rows:
    """`a` before `b` or the other way round, among words that say nothing: counting words cannot tell the two."""
    generator = np.random.default_rng(seed)
    targets, texts = generator.integers(2, size=count), []
    for target in targets:
        filling = generator.choice(list("uvwxyz"), size=5).tolist()
        first = int(generator.integers(0, 4))
        filling.insert(first, "ba"[1 - target])
        filling.insert(int(generator.integers(first + 1, 7)), "ab"[1 - target])
        texts.append(" ".join(filling))
    return Rows(texts, targets.astype(np.int64))


def test_an_lstm_learns_what_stands_before_what() -> None:
    torch.set_num_threads(1)
    data, test = TuningData(ORDERS, rows(300, 0), rows(60, 1), "en", seed=3), rows(100, 2)
    fitted = Lstm.tuned(data)
    assert (fitted.predict(test.texts) == test.targets).mean() > 0.9
    assert 1 <= fitted.choice.metrics()["epochs"] <= EPOCHS
    assert fitted.megabytes() > 0


def test_the_same_rows_and_seed_give_the_same_bits() -> None:
    data = TuningData(ORDERS, rows(20, 0), rows(5, 1), "en", seed=3)
    fitted, again = Lstm.tuned(data), Lstm.tuned(data)
    for one, other in zip(fitted.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_padding_changes_no_answer() -> None:
    torch.manual_seed(0)
    network = Network(np.random.default_rng(0).normal(size=(9, SIZE)).astype(np.float32), 3).eval()
    short, long = torch.tensor([1, 2]), torch.tensor([3, 4, 5, 6, 7, 8])
    assert torch.allclose(torch.cat([network([short]), network([long])]), network([short, long]), atol=1e-6)


def test_rows_are_cut_and_never_empty() -> None:
    vectors = WordVectors.of([["a", "b"]], seed=1)
    a, b = vectors.numbers["a"], vectors.numbers["b"]
    found = numbered(vectors, ["a " * 200, "", ("a", "b")])
    assert [row.tolist() for row in found[1:]] == [[0], [a, 0, b]]
    assert len(found[0]) == LONGEST
