import math

import pytest
import torch

from components.modeling.objectives.contrastive import ContrastiveLanguageModeling, mean_states
from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.objective import WHOLE
from tests.modeling.small_encoder import small_encoder

MLM = MaskedLanguageModeling(vocab_size=1000, mask_id=3, special_ids=(0, 1, 2, 3), mask_probability=0.15)
CONTRASTIVE = ContrastiveLanguageModeling(MLM, separator_id=2, temperature=0.05, contrast_weight=1.0)


def test_separators_alone_give_views_and_a_finite_loss() -> None:
    batch = CONTRASTIVE.prepare(torch.full((4, 30), 2), torch.Generator(), WHOLE)
    assert CONTRASTIVE.loss(small_encoder(), batch).isfinite()


def test_the_mean_takes_pooled_states_alone() -> None:
    hidden = torch.arange(12.0).reshape(2, 3, 2)
    pooled = torch.tensor([[True, False, True], [False, False, False]])
    assert mean_states(hidden, pooled).tolist() == [[2.0, 3.0], [0.0, 0.0]]


def test_views_of_a_window_stand_side_by_side_and_the_generator_alone_decides() -> None:
    ids = torch.randint(4, 1000, (6, 30), generator=torch.Generator().manual_seed(1))
    first, again, other = (CONTRASTIVE.prepare(ids, torch.Generator().manual_seed(seed), WHOLE) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in ("input_ids", "positions", "targets", "pooled"))
    assert not torch.equal(first["input_ids"], other["input_ids"])
    restored = first["input_ids"].flatten().index_put((first["positions"],), first["targets"])
    assert torch.equal(restored.reshape(6, 20), ids[:, :20])
    assert first["tokens"] == 6 * 20


def test_the_partner_of_a_view_is_the_other_of_its_window() -> None:
    hidden = torch.eye(8)[torch.tensor([0, 0, 1, 1, 2, 3])]

    class Fixed(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor) -> object:
            return type("Output", (), {"last_hidden_state": hidden[:, None].expand(-1, 10, -1)})

    model = small_encoder()
    model.model = Fixed()
    batch = CONTRASTIVE.prepare(torch.full((3, 30), 2), torch.Generator(), WHOLE)
    batch["pooled"] = torch.ones(6, 10, dtype=torch.bool)
    batch["positions"] = batch["targets"] = torch.zeros(0, dtype=torch.long)
    model.head, model.decoder = torch.nn.Identity(), torch.nn.Identity()
    _, contrast, found = CONTRASTIVE.score(model, batch)
    assert found.tolist() == [True, True, False, True, True, False]
    torch.testing.assert_close(contrast[:2], torch.full((2,), math.log(1 + 2 * math.exp(-20))))
    torch.testing.assert_close(contrast[2], torch.tensor(math.log(3)))


def test_contrastive_loss_is_the_masked_one_plus_its_weight_times_the_contrast() -> None:
    model = small_encoder().eval()
    batch = CONTRASTIVE.prepare(torch.randint(4, 1000, (6, 30)), torch.Generator().manual_seed(1), WHOLE)
    masked, contrast, _ = CONTRASTIVE.score(model, batch)
    expected = MLM.loss(model, batch) + contrast.mean()
    torch.testing.assert_close(CONTRASTIVE.loss(model, batch), expected)
    summary = CONTRASTIVE.summary([CONTRASTIVE.score(model, batch)])
    assert summary["validation_loss"] == pytest.approx(masked.mean().item(), rel=1e-5)
    assert summary["validation_contrast"] == pytest.approx(contrast.mean().item(), rel=1e-5)


def test_views_learn_to_find_each_other() -> None:
    model = small_encoder()
    generator = torch.Generator().manual_seed(1)
    # Every window has ten tokens of its own, in any order.
    ids = torch.stack([10 * row + torch.randint(10, 20, (30,), generator=generator) for row in range(8)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        CONTRASTIVE.loss(model, CONTRASTIVE.prepare(ids, generator, WHOLE)).backward()
        optimizer.step()
    scores = [CONTRASTIVE.score(model, CONTRASTIVE.prepare(ids, generator, WHOLE))]
    assert CONTRASTIVE.summary(scores)["validation_found"] == 1
