from pathlib import Path

import torch

from components.modeling.objectives import MaskedLanguageModeling
from components.tokenization.reader import PackedTokens
from components.training.batches import loader, window_batch
from components.training.order import WindowOrder

MLM = MaskedLanguageModeling(330, 3, (0, 1, 2, 3), 0.15)


def test_batches_come_in_the_order_of_their_steps() -> None:
    assert [batch["step"] for batch in loader(5, lambda step: {"step": step})] == [0, 1, 2, 3, 4]


def test_a_step_gives_the_same_batch_whenever_it_is_asked_for(tokens_folder: Path) -> None:
    def make(seed: int, step: int) -> torch.Tensor:
        tokens = PackedTokens(tokens_folder, "train")
        batch = window_batch(tokens, WindowOrder(len(tokens), 16, 4, seed), MLM, seed, "train")(step)
        assert batch["tokens"] == 64
        return batch["input_ids"]

    assert torch.equal(make(1, 7), make(1, 7))
    assert not torch.equal(make(1, 7), make(1, 8))
    assert not torch.equal(make(1, 7), make(2, 7))
