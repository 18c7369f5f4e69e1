"""How the tokens of a text relate in the last layer's attention (Wang 2020, MiniLM; Wang 2021, MiniLMv2).

Of each token the scaled products of its query, key or value with those of all tokens, as a distribution: a student's is
to be its teacher's. Both models' vectors are divided into the same number of relation heads, so neither their widths
nor their numbers of attention heads have to agree, nor their architectures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div
from transformers import PreTrainedModel

from components.errors import ParameterError
from components.modeling.architectures import architecture_of, layers_of
from components.modeling.objectives.objective import Batch
from components.training.features.feature import Features, Imitated
from components.training.task_outputs import one_by_one

if TYPE_CHECKING:
    from components.training.config import RelationsConfig

VECTORS = ("query", "key", "value")
NOTHING = -1e4
"""The score of what is no token: its probability is 0, and the difference of two such is a number."""


def build(
    config: RelationsConfig, teacher: PreTrainedModel, student: PreTrainedModel, imitated: Imitated
) -> AttentionRelations:
    """Raises ParameterError where a model's vectors cannot be divided into so many heads, or not be multiplied."""
    pairs = [relation.split("-") for relation in config.relations]
    for model in (teacher, student):
        widths = widths_of(model)
        for one, other in pairs:
            if widths[one] != widths[other]:
                raise ParameterError(
                    f"distill.features.relations: {one}-{other}: a {model.config.model_type} has {one} vectors "
                    f"{widths[one]} wide and {other} vectors {widths[other]} wide, as several of its queries share a "
                    "key",
                    "set it to [query-query, key-key, value-value], which compare vectors of one width",
                )
        for name, width in widths.items():
            if width % config.heads:
                raise ParameterError(
                    f"distill.features.heads {config.heads}: {name} vectors of a {model.config.model_type} "
                    f"{width} wide cannot be divided into so many",
                    "set it to the student's number of attention heads, or to a divisor of it",
                )
    return AttentionRelations([(one, other) for one, other in pairs], config.heads)


@dataclass(frozen=True)
class AttentionRelations(Features):
    """`relations`: whose vectors are multiplied with whose; `heads`: into which they are divided."""

    relations: list[tuple[str, str]]
    heads: int

    def read(self, model: PreTrainedModel, ids: Tensor, beside: dict[str, Any]) -> tuple[Any, dict[str, Tensor]]:
        with attention_vectors(model) as found:
            output = model(ids, **beside)
        return output, found

    def loss(self, mine: Mapping[str, Tensor], its: Mapping[str, Tensor], batch: Batch) -> Tensor:
        mask = one_by_one(batch["attention_mask"], batch)
        losses = []
        for one, other in self.relations:
            own, wanted = (relation(found[one], found[other], self.heads, mask) for found in (mine, its))
            losses.append(relation_loss(own, wanted, mask))
        return torch.stack(losses).mean() / batch["tokens"]


def relation(one: Tensor, other: Tensor, heads: int, mask: Tensor) -> Tensor:
    """Log-probabilities [n, heads, length, length] of vectors [n, length, width] by scaled dot-product; 0 of padding
    after exp. mask [n, length]: which tokens are real."""
    first, second = (part.float().unflatten(-1, (heads, -1)).transpose(1, 2) for part in (one, other))
    scores = first @ second.transpose(2, 3) * first.shape[-1] ** -0.5
    return scores.masked_fill(~mask.bool()[:, None, None], NOTHING).log_softmax(dim=-1)


def relation_loss(mine: Tensor, its: Tensor, mask: Tensor) -> Tensor:
    """Divergence of relations [n, heads, length, length] from a teacher's: mean over heads, sum over real tokens."""
    divergence = kl_div(mine, its, reduction="none", log_target=True).sum(dim=-1)
    return (divergence.mean(dim=1) * mask).sum()


@contextmanager
def attention_vectors(model: PreTrainedModel) -> Iterator[dict[str, Tensor]]:
    """The last layer's queries, keys and values [n, length, width] of what the model reads inside, before any
    rotation."""
    found: dict[str, Tensor] = {}

    def keep(names: tuple[str, ...]) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            found.update(zip(names, output.chunk(len(names), dim=-1), strict=True))

        return hook

    layer = layers_of(model)[-1]
    hooks = [layer.get_submodule(name).register_forward_hook(keep(names)) for name, names in projections(model).items()]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def projections(model: PreTrainedModel) -> dict[str, tuple[str, ...]]:
    """Linear layers of a transformer layer -> which of VECTORS each gives, one behind another."""
    heads = architecture_of(model.config).heads
    assert heads is not None  # params.py allows no other
    names = [name.removesuffix(".weight") for name in heads.slices if name.endswith(".weight")]
    given = [name for name in names if name != heads.out]
    return {given[0]: VECTORS} if len(given) == 1 else {name: (one,) for name, one in zip(given, VECTORS, strict=True)}


def widths_of(model: PreTrainedModel) -> dict[str, int]:
    """How wide the vectors of each token are."""
    heads, layer = architecture_of(model.config).heads, layers_of(model)[-1]
    assert heads is not None
    found: dict[str, int] = {}
    for name, names in projections(model).items():
        dimension, _ = heads.slices[f"{name}.weight"]
        weight = cast(Tensor, layer.get_submodule(name).weight)
        found |= dict.fromkeys(names, weight.shape[dimension] // len(names))
    return found
