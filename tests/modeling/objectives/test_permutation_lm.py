"""components.modeling.objectives.permutation_lm: XLNet's order of guesses."""

from __future__ import annotations

import pytest
import torch
from transformers import XLNetConfig, XLNetLMHeadModel

from components.modeling.objectives.objective import WHOLE
from components.modeling.objectives.permutation_lm import PermutationLanguageModeling

SPECIAL = (0, 1, 2, 3)
IDS = torch.randint(4, 100, (6, 24), generator=torch.Generator().manual_seed(1))


def xlnet() -> XLNetLMHeadModel:
    torch.manual_seed(0)
    return XLNetLMHeadModel(
        XLNetConfig(vocab_size=100, d_model=32, n_layer=2, n_head=2, d_inner=32, dropout=0.0)
    ).eval()


def test_about_the_share_is_guessed_in_spans() -> None:
    chosen = PermutationLanguageModeling((), 1 / 6, 5).spans(torch.Size((400, 96)), torch.Generator().manual_seed(0))
    assert chosen.double().mean().item() == pytest.approx(1 / 6, abs=0.01)
    begins = (chosen[:, 1:] & ~chosen[:, :-1]).sum().item()
    assert chosen.sum().item() / begins == pytest.approx(3, abs=0.4)


def test_the_loss_equals_that_of_transformers() -> None:
    model, objective = xlnet(), PermutationLanguageModeling(SPECIAL, 0.25, 3)
    batch = objective.prepare(IDS, torch.Generator().manual_seed(2), WHOLE)
    places, order = batch["places"], batch["order"]
    rows, length = IDS.shape
    mask, mapping = torch.zeros(rows, length, length), torch.zeros(rows, places.shape[1], length)
    labels = torch.full(places.shape, -100)
    for row in range(rows):
        for one in range(length):
            for other in range(length):
                hidden = order[row, other] >= 0 and order[row, one] <= order[row, other]
                mask[row, one, other] = float(hidden)
        for number, place in enumerate(places[row].tolist()):
            if place >= 0:
                mapping[row, number, place] = 1
                labels[row, number] = IDS[row, place]
    expected = model(IDS, perm_mask=mask, target_mapping=mapping, labels=labels).loss
    torch.testing.assert_close(objective.loss(model, batch), expected)


def test_a_guess_knows_what_comes_before_it_in_the_order_and_nothing_after() -> None:
    """By hand: of three tokens that are guessed, the second of the order sees the first and not the third."""
    model, objective = xlnet(), PermutationLanguageModeling(SPECIAL, 0.25, 3)
    ids = torch.tensor([[10, 11, 12, 13, 14, 15]])
    order = torch.tensor([[-1, 2, -1, 0, -1, 1]])
    batch = {"order": order, "places": torch.tensor([[1, 3, 5]]), "targets": torch.tensor([11, 13, 15])}

    def losses(**changed: int) -> torch.Tensor:
        now = ids.clone()
        for place, token in changed.items():
            now[0, int(place[1:])] = token
        return objective.score(model, {**batch, "input_ids": now})[0]

    before = losses()
    assert torch.equal(losses(_1=50), before)  # the last of the order: nobody sees it
    moved = losses(_3=50) != before
    assert moved.tolist() == [True, False, True]  # the first is seen by both others, and not by itself
    assert (losses(_0=50) != before).all()  # context is seen by all


def test_documents_are_kept_apart() -> None:
    model, objective = xlnet(), PermutationLanguageModeling(SPECIAL, 0.25, 3, document_end=2)
    ids = IDS.clone()
    ids[:, 11] = 2
    batch = objective.prepare(ids, torch.Generator().manual_seed(2), WHOLE)
    other = {**batch, "input_ids": ids.clone()}
    other["input_ids"][:, :11] = 50
    rows, columns = torch.where(batch["places"] >= 0)
    later = batch["places"][rows, columns] > 11
    torch.testing.assert_close(objective.score(model, other)[0][later], objective.score(model, batch)[0][later])


def test_a_window_of_special_tokens_alone_has_nothing_to_guess() -> None:
    objective = PermutationLanguageModeling(SPECIAL, 0.25, 3)
    batch = objective.prepare(torch.full((2, 24), 2), torch.Generator().manual_seed(2), WHOLE)
    loss = objective.loss(xlnet(), batch)
    loss.backward()
    assert loss.item() == 0
