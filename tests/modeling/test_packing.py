"""components.modeling.packing: a document in a packed window is read as it is read alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import ModernBertConfig, ModernBertForMaskedLM, PreTrainedModel

from components.modeling.architectures import LANGUAGE_MODELS, architecture
from components.modeling.attention import ATTENTION
from components.modeling.config import ModelConfig
from components.modeling.kinds import FROM_SCRATCH, ONE_STACK
from components.modeling.objectives.clm import CausalLanguageModeling
from components.modeling.objectives.contrastive import ContrastiveLanguageModeling
from components.modeling.objectives.masking import MaskedLanguageModeling
from components.modeling.objectives.objective import WHOLE
from components.modeling.packing import document_inputs, starts_of
from tests.small_families import FAMILIES

END = 3
LENGTHS = (9, 1, 17, 5)
"""Of the documents of a window, separators included; the last is cut off."""
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": END, "cls_token_id": 1, "sep_token_id": END}


def documents(seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    whole = [torch.randint(5, 50, (length,), generator=generator) for length in LENGTHS]
    for document in whole[:-1]:
        document[-1] = END
    return whole


def language_model(name: str) -> PreTrainedModel:
    torch.manual_seed(0)
    entry = architecture(name)
    config = entry.config(
        ModelConfig(architecture=name, depth=2, width=None, max_length=32), {"vocab_size": 50, **SPECIAL}
    )
    model = LANGUAGE_MODELS[entry.language_model].from_config(config).eval()
    model.set_attn_implementation(ATTENTION)
    return model


def assert_read_alone(model: PreTrainedModel, causal: bool) -> None:
    """Two windows, the second with its documents in another order."""
    first = documents()
    second = [*documents(1)[2::-1], documents(1)[3]]
    windows = torch.stack([torch.cat(first), torch.cat(second)])
    packed = model(input_ids=windows, **document_inputs(model.config, starts_of(windows, END), causal)).logits
    for window, whole in zip(packed, (first, second), strict=True):
        for logits, document in zip(window.split([len(each) for each in whole]), whole, strict=True):
            torch.testing.assert_close(logits, model(input_ids=document[None]).logits[0], atol=1e-5, rtol=1e-5)


def test_a_document_starts_behind_the_end_of_the_one_before() -> None:
    ids = torch.tensor([[7, 7, END, 8, END, END, 9], [END, 7, 7, 7, 7, 7, END]])
    assert starts_of(ids, END).tolist() == [[0, 0, 0, 3, 3, 5, 6], [0, 1, 1, 1, 1, 1, 1]]


@pytest.mark.parametrize("name", [one for one in FROM_SCRATCH if one in ONE_STACK and one != "xlnet"])
@torch.no_grad()
def test_logits_of_a_packed_document_are_those_of_the_document_alone(name: str) -> None:
    assert_read_alone(language_model(name), causal=architecture(name).language_model == "causal_lm")


@torch.no_grad()
def test_layers_that_look_not_far_keep_their_distance_inside_a_document() -> None:
    torch.manual_seed(0)
    kinds = ["full_attention", "sliding_attention"]
    config = ModernBertConfig(
        vocab_size=50, hidden_size=64, intermediate_size=64, num_hidden_layers=2, num_attention_heads=1, **SPECIAL
    )
    config.layer_types, config.local_attention = kinds, 6
    model = ModernBertForMaskedLM(config).eval()
    model.set_attn_implementation(ATTENTION)
    assert_read_alone(model, causal=False)
    inputs = document_inputs(config, torch.zeros(1, 9, dtype=torch.long), causal=False)
    assert inputs["attention_mask"]["sliding_attention"][0, 0, 4].tolist() == [False] + [True] * 7 + [False]


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_the_causal_loss_and_its_gradient_are_those_of_the_documents_one_by_one(name: str) -> None:
    model, objective = language_model(name), CausalLanguageModeling(END)
    window = torch.cat(documents())[None]
    batch = objective.prepare(window, torch.Generator(), WHOLE)
    assert batch["count"] == sum(length - 1 for length in LENGTHS)
    packed = objective.loss(model, batch)
    alone = [
        model(input_ids=document[None], labels=document[None]).loss * (len(document) - 1)
        for document in documents()
        if len(document) > 1
    ]
    expected = torch.stack(alone).sum() / batch["count"]
    torch.testing.assert_close(packed, expected, atol=1e-5, rtol=1e-5)
    weights = list(model.parameters())
    found, wanted = (torch.autograd.grad(loss, weights, allow_unused=True) for loss in (packed, expected))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_a_hidden_token_is_guessed_from_its_own_document_alone() -> None:
    model = language_model("modernbert")
    objective = MaskedLanguageModeling(50, 4, (0, 1, 2, END, 4), 0.5, END)
    window = torch.cat(documents())[None]
    batch = objective.prepare(window, torch.Generator().manual_seed(0), WHOLE)
    inside = (batch["positions"] >= LENGTHS[0]).nonzero().flatten()
    before = objective.score(model, batch)[0][inside]
    batch["input_ids"] = batch["input_ids"].clone()
    batch["input_ids"][0, : LENGTHS[0]] = 7
    torch.testing.assert_close(objective.score(model, batch)[0][inside], before, atol=1e-5, rtol=1e-5)


def test_a_random_token_that_looks_like_an_end_ends_nothing() -> None:
    objective = MaskedLanguageModeling(END + 1, 4, (), 0.99, END)
    ids = torch.full((8, 40), 2)
    batch = objective.prepare(ids, torch.Generator().manual_seed(0), WHOLE)
    assert (batch["input_ids"] == END).any()
    assert not batch["starts"].any()


def test_a_view_is_represented_by_its_document_alone() -> None:
    """Whatever stands around the cut's document in a window: the mean state of a view does not change."""
    model = language_model("modernbert")
    masked = MaskedLanguageModeling(50, 4, (0, 1, 2, END, 4), 1e-9, END)
    objective = ContrastiveLanguageModeling(masked, END, 0.05, 1.0)
    window = torch.cat([torch.full((5,), 9), torch.tensor([END]), torch.arange(10, 24), torch.tensor([END, 8, 8, 8])])
    other = window.clone()
    other[:5], other[-3:] = 30, 31
    pair = torch.stack([window, other])
    batch = objective.prepare(pair, torch.Generator(), WHOLE)
    states = masked.hidden(model, batch)[batch["pooled"]].unflatten(0, (2, -1))
    torch.testing.assert_close(states[0], states[1], atol=1e-5, rtol=1e-5)


def test_without_an_end_of_documents_a_window_is_one_text() -> None:
    window = torch.cat(documents())[None]
    for objective in (CausalLanguageModeling(), MaskedLanguageModeling(50, 4, (), 0.5)):
        assert "starts" not in objective.prepare(window, torch.Generator().manual_seed(0), WHOLE)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "xlnet"])
def test_a_checkpoint_of_any_family_reads_it_alone_too(name: str) -> None:
    """XLNet's is in its objective's test. RoBERTa's and MPNet's positions begin behind that of padding; MPNet adds the
    mask to its scores."""
    torch.manual_seed(0)
    family = FAMILIES[name]
    config = family.config(vocab_size=60, **family.settings, **SPECIAL | {"pad_token_id": 1, "bos_token_id": 2})
    model = LANGUAGE_MODELS["causal_lm" if family.causal else "masked_lm"].from_config(config).eval()
    model.set_attn_implementation(ATTENTION)
    assert_read_alone(model, family.causal)
