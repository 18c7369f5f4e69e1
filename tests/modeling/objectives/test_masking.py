import pytest
import torch

from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.objective import WHOLE
from tests.modeling.small_encoder import small_encoder

MLM = MaskedLanguageModeling(vocab_size=1000, mask_id=3, special_ids=(0, 1, 2, 3), mask_probability=0.15)


def prepare(ids: torch.Tensor, seed: int = 0) -> dict:
    return MLM.prepare(ids, torch.Generator().manual_seed(seed), WHOLE)


def test_fifteen_in_a_hundred_tokens_are_chosen_and_four_in_five_of_them_masked() -> None:
    ids = torch.full((200, 500), 7)
    batch = prepare(ids)
    assert len(batch["positions"]) / ids.numel() == pytest.approx(0.15, abs=0.005)
    seen = batch["input_ids"].flatten()[batch["positions"]]
    assert (seen == 3).double().mean() == pytest.approx(0.8, abs=0.01)
    assert ((seen != 3) & (seen != 7)).double().mean() == pytest.approx(0.1, abs=0.01)


def test_special_tokens_are_never_chosen() -> None:
    ids = torch.randint(0, 4, (50, 100))
    batch = prepare(ids)
    assert len(batch["positions"]) == 0
    assert torch.equal(batch["input_ids"], ids)


def test_tokens_that_were_not_chosen_stay() -> None:
    ids = torch.arange(4, 904).reshape(9, 100)
    batch = prepare(ids)
    rest = torch.ones(900, dtype=torch.bool)
    rest[batch["positions"]] = False
    assert torch.equal(batch["input_ids"].flatten()[rest], ids.flatten()[rest])
    assert torch.equal(batch["targets"], ids.flatten()[batch["positions"]])


def test_the_generator_alone_decides() -> None:
    ids = torch.arange(4, 904).reshape(9, 100)
    assert torch.equal(prepare(ids, 1)["input_ids"], prepare(ids, 1)["input_ids"])
    assert not torch.equal(prepare(ids, 1)["input_ids"], prepare(ids, 2)["input_ids"])


def test_masked_loss_equals_that_of_transformers() -> None:
    model = small_encoder().eval()
    ids = torch.arange(4, 904).reshape(9, 100)
    batch = prepare(ids)
    labels = torch.full((900,), -100)
    labels[batch["positions"]] = batch["targets"]
    expected = model(input_ids=batch["input_ids"], labels=labels.reshape(9, 100)).loss
    torch.testing.assert_close(MLM.loss(model, batch), expected)


def test_a_batch_with_nothing_to_mask_has_no_loss_and_no_nan() -> None:
    loss = MLM.loss(small_encoder(), prepare(torch.ones(2, 8, dtype=torch.long)))
    loss.backward()
    assert loss.item() == 0
