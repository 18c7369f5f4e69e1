"""Encoders that make a vector of a text: the mean over its tokens' last hidden states, with length 1.

Sentence-BERT's pooling (Reimers and Gurevych 2019), over the backbone of any architecture that reads a text in one
pass; the head has no weights. transformers has no such classes, so they are made here, named and loaded as its own are.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from torch import Tensor
from torch.nn.functional import normalize
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.auto_factory import _BaseAutoModelClass
from transformers.models.auto.modeling_auto import MODEL_MAPPING
from transformers.utils import ModelOutput

SUFFIX = "ForTextEmbedding"
"""The end of the classes' names, which checkpoints hold."""
POOLER = "add_pooling_layer"


@dataclass
class TextEmbedding(ModelOutput):
    """`sentence_embedding` [texts, width], each of length 1."""

    sentence_embedding: Tensor | None = None
    hidden_states: tuple[Tensor, ...] | None = None


class _TextEmbeddingMixin:
    """What the classes have beside the backbone of their architecture."""

    backbone: type[PreTrainedModel]

    def __init__(self, config: PreTrainedConfig) -> None:
        super().__init__(config)  # type: ignore[call-arg]
        more = {POOLER: False} if POOLER in inspect.signature(self.backbone).parameters else {}
        model = cast(Any, self)
        setattr(model, model.base_model_prefix, self.backbone(config, **more))
        model.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        input_mask: Tensor | None = None,
        output_hidden_states: bool | None = None,
    ) -> TextEmbedding:
        """`input_mask`: 1 where there is padding, in place of `attention_mask` (XLNet)."""
        given = {
            "attention_mask": attention_mask,
            "token_type_ids": token_type_ids,
            "input_mask": input_mask,
            "output_hidden_states": output_hidden_states,
        }
        found = cast(Any, self).base_model(
            input_ids=input_ids, **{name: value for name, value in given.items() if value is not None}
        )
        hidden = found.last_hidden_state
        real = attention_mask if input_mask is None else input_mask == 0
        weights = (input_ids >= 0 if real is None else real).to(hidden.dtype)
        # The mean as one product of matrices.
        mean = (weights[:, None] @ hidden)[:, 0] / weights.sum(dim=1, keepdim=True)
        return TextEmbedding(normalize(mean.float(), dim=-1), found.get("hidden_states"))


@cache
def _class_over(backbone: Any) -> type[PreTrainedModel]:
    """BertModel -> BertForTextEmbedding, on top of BertPreTrainedModel."""
    parent = next(one for one in backbone.__mro__[1:] if issubclass(one, PreTrainedModel))
    name = f"{backbone.__name__.removesuffix('Model')}{SUFFIX}"
    return cast(type[PreTrainedModel], type(name, (_TextEmbeddingMixin, parent), {"backbone": backbone}))


class _Mapping(Mapping[Any, type[PreTrainedModel]]):
    """Class of a config -> class of models, for every backbone that transformers has."""

    def __getitem__(self, config: Any) -> type[PreTrainedModel]:
        return _class_over(MODEL_MAPPING[config])

    def __iter__(self) -> Iterator[Any]:
        return iter(MODEL_MAPPING.keys())

    def __len__(self) -> int:
        return len(MODEL_MAPPING)


class AutoModelForTextEmbedding(_BaseAutoModelClass):
    """Loads and makes such models by their config, as transformers' own classes with a head do."""

    _model_mapping = _Mapping()  # type: ignore[assignment]
