"""Relations of queries, keys and values: by hand, on models of several architectures, and where padding stands."""

from __future__ import annotations

import math

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from components.errors import ParameterError
from components.modeling.architectures import architecture, blank_model
from components.modeling.config import ModelConfig
from components.modeling.kinds import ARCHITECTURES, FROM_SCRATCH, WHOLE_HEADS
from components.training.config import RelationsConfig
from components.training.features.attention_relations import (
    attention_vectors,
    build,
    relation,
    relation_loss,
    widths_of,
)
from components.training.features.feature import Imitated

NOWHERE = Imitated(())


def relations(heads: int, *names: str) -> RelationsConfig:
    return RelationsConfig.model_validate(
        {"name": "attention_relations", "weight": 1.0, "relations": [*names], "heads": heads}
    )


def test_the_divergence_of_two_tokens_is_as_computed_by_hand() -> None:
    """Two heads of one number each. A teacher's first head: products 0 and 1 of the second token, the student's all
    0; second heads alike."""
    teacher = torch.tensor([[[0.0, 1.0], [1.0, 1.0]]])
    student = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    mask = torch.ones(1, 2, dtype=torch.long)
    likely = math.e / (1 + math.e)
    expected = likely * math.log(2 * likely) + (1 - likely) * math.log(2 * (1 - likely))
    found = relation_loss(relation(student, student, 2, mask), relation(teacher, teacher, 2, mask), mask)
    assert found.item() == pytest.approx(expected / 2, abs=1e-6)


def test_scores_are_divided_by_the_root_of_a_heads_width_and_padding_counts_for_nothing() -> None:
    vectors, mask = torch.randn(2, 3, 8), torch.tensor([[1, 1, 0], [1, 1, 1]])
    alone = relation(vectors[:1, :2], vectors[:1, :2], 2, mask[:1, :2])
    expected = (vectors[0, :2, :4] @ vectors[0, :2, :4].T / 2).softmax(dim=-1)
    assert torch.allclose(alone[0, 0].exp(), expected)
    padded = relation(vectors, vectors, 2, mask)
    assert torch.allclose(padded[0, :, :2, :2], alone[0])
    other = vectors.clone()
    other[0, 2] += 5
    assert relation_loss(padded, relation(other, other, 2, mask), mask).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", [name for name in FROM_SCRATCH if name not in WHOLE_HEADS])
def test_every_architecture_gives_its_last_layers_vectors(name: str) -> None:
    """A key that is 0 relates to all tokens alike: weights of the projection are those of the model."""
    torch.manual_seed(0)
    model = blank_model(ModelConfig.model_validate({"architecture": name, "depth": 2, "width": 64, "max_length": 16}))
    ids = torch.tensor([[1, 2, 3]])
    with attention_vectors(model) as found:
        model(ids)
    assert {key: vectors.shape[-1] for key, vectors in found.items()} == widths_of(model)
    assert len({tuple(vectors.flatten().tolist()) for vectors in found.values()}) == 3
    with attention_vectors(model) as found:
        pass
    model(ids)
    assert not found


def test_models_of_two_widths_are_compared_where_the_heads_divide_both() -> None:
    torch.manual_seed(0)
    teacher, student = (
        blank_model(ModelConfig.model_validate({"architecture": name, "depth": 1, "width": width, "max_length": 16}))
        for name, width in (("bert", 128), ("modernbert", 64))
    )
    features = build(relations(4, "query-query", "query-key"), teacher, student, NOWHERE)
    ids, mask = torch.tensor([[1, 2, 3]]), torch.ones(1, 3, dtype=torch.long)
    batch = {"attention_mask": mask, "tokens": 3}
    mine, its = (features.read(model, ids, {"attention_mask": mask})[1] for model in (student, teacher))
    assert features.loss(mine, its, batch) > 0
    assert features.loss(its, its, batch).item() == 0
    with pytest.raises(ParameterError, match="heads 3: query vectors of a bert 128 wide cannot be divided"):
        build(relations(3, "key-key"), teacher, student, NOWHERE)


def test_queries_that_share_keys_are_not_multiplied_with_them() -> None:
    shape = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "num_key_value_heads": 2}
    model = LlamaModel(LlamaConfig(**shape, intermediate_size=64, vocab_size=16, max_position_embeddings=16))
    build(relations(2, "query-query", "key-key"), model, model, NOWHERE)
    with pytest.raises(ParameterError, match="query-key: a llama has query vectors 64 wide and key vectors 32 wide"):
        build(relations(2, "query-key"), model, model, NOWHERE)


def test_those_without_are_the_ones_whose_heads_no_table_names() -> None:
    assert {name for name in ARCHITECTURES if architecture(name).heads is None} == {*WHOLE_HEADS}
