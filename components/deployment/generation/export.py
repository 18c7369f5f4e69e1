"""Language models as ONNX graphs whose bytes depend on weights and opset alone.

A decoder is one graph for prefill and decoding: the cache comes in as `past.N.key` and `past.N.value` (batch, heads,
past, width of a head; past may be 0) and goes out longer as `present.N.…`. An encoder-decoder is two: `encoder` gives
the keys and values of the source, `cross.N.…`, once; `decoder` reads them at every step. Rows of a batch are padded on
the left, a source on the right; `attention_mask` (batch, past + length) is 1 at real tokens.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Any

import torch
from onnx import ModelProto
from torch import Tensor, nn
from transformers import DynamicCache, EncoderDecoderCache, PreTrainedModel

from components.deployment.canonical import PROTOBUF_LIMIT, Axes, canonical, quiet
from components.deployment.sentence_embedding.encoder import SentenceEncoder
from components.errors import ArtifactError

MASKED = -65504.0
"""Added to a score that must not count: nothing is left of it after softmax, in half precision too."""

Layers = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, (batch, heads, tokens, width of a head)."""

MADE = "made."

FUSED_OPSET = 23
"""From it on attention, rotary positions and RMS normalization are one operator each. The steps of a small model spend
more time between operators than in them; not every engine knows such a new opset, ONNX Runtime does."""

CACHE_AXES = ("batch", "", "past", "")
CROSS_AXES = ("batch", "", "source", "")


class Decoder(nn.Module):
    """Logits of the last position and the longer cache."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        self.takes_positions = "position_ids" in signature(model.forward).parameters

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor, past: Layers
    ) -> tuple[Tensor, Layers]:
        with _alibi_of(self.model, attention_mask):
            answer = self.model(
                input_ids=input_ids,
                attention_mask=causal_mask(attention_mask, input_ids.shape[1]),
                past_key_values=DynamicCache(past),
                use_cache=True,
                logits_to_keep=1,
                **({"position_ids": position_ids} if self.takes_positions else {}),
            )
        return answer.logits[:, -1], _layers(answer.past_key_values)


@contextmanager
def _alibi_of(model: PreTrainedModel, attention_mask: Tensor) -> Iterator[None]:
    """Bloom's biases of distance, from the mask of real tokens: it would read them off the one for the scores."""
    base: Any = model.base_model
    build = getattr(base, "build_alibi_tensor", None)
    if build is None:
        yield
        return
    base.build_alibi_tensor = lambda _, heads, dtype: build(attention_mask, heads, dtype)
    try:
        yield
    finally:
        del base.build_alibi_tensor


class SourceEncoder(nn.Module):
    """The keys and values that every layer of the decoder makes of the source."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Layers:
        # The decoder itself fills the cache, whatever its modules are called; what else it computes is cut off later.
        cache = EncoderDecoderCache(DynamicCache(), DynamicCache())
        self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            decoder_input_ids=input_ids[:, :1],
            past_key_values=cache,
            use_cache=True,
        )
        return _layers(cache.cross_attention_cache)


class CrossDecoder(nn.Module):
    """A decoder that reads the source's keys and values from where the encoder left them."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        self.places = _places_of(model)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, source_mask: Tensor, past: Layers, cross: Layers
    ) -> tuple[Tensor, Layers]:
        if self.places is not None:
            self.places.positions = (attention_mask.cumsum(1) - 1).clamp(min=0)[:, -input_ids.shape[1] :]
        cache = EncoderDecoderCache(DynamicCache(past), DynamicCache(cross))
        cache.is_updated = dict.fromkeys(range(len(cross)), True)
        # Its presence tells the decoder that there is a source; with the cache full, nothing reads it.
        unread = cross[0][0].new_zeros(*source_mask.shape, self.model.config.hidden_size)
        answer = self.model(
            encoder_outputs=(unread,),
            attention_mask=_added((source_mask > 0)[:, None, None, :].expand(-1, -1, input_ids.shape[1], -1)),
            decoder_input_ids=input_ids,
            decoder_attention_mask=causal_mask(attention_mask, input_ids.shape[1]),
            past_key_values=cache,
            use_cache=True,
        )
        return answer.logits[:, -1], _layers(cache.self_attention_cache)


class _Places(nn.Module):
    """A table of positions, each row's own: BART's, Pegasus' or Marian's decoder would count padding on the left as
    well."""

    def __init__(self, learned: Any) -> None:
        super().__init__()
        self.learned = learned
        self.offset = int(getattr(learned, "offset", 0))
        self.positions: Tensor

    def forward(self, *_: Any, **__: Any) -> Tensor:
        return nn.functional.embedding(self.positions + self.offset, self.learned.weight)


def _places_of(model: PreTrainedModel) -> _Places | None:
    """Positions of a decoder that has a table of them; T5's are relative."""
    learned = getattr(model.get_decoder(), "embed_positions", None)
    return _Places(learned) if isinstance(learned, nn.Embedding) else None


def causal_mask(attention_mask: Tensor, length: int) -> Tensor:
    """What to add to the scores (batch, 1, length, past + length).

    A token sees itself, padding too: a row of scores that are all masked would be NaN in half precision.
    """
    total = attention_mask.shape[1]
    keys = torch.arange(total)[None, :]
    queries = torch.arange(length)[:, None] + (total - length)
    return _added((keys <= queries) & (attention_mask > 0)[:, None, None, :] | (keys == queries))


def export_decoder(model: PreTrainedModel, opset: int) -> ModelProto:
    """A causal language model: input_ids, attention_mask, position_ids, past.N.… -> logits (batch, vocabulary) of the
    last position, present.N.…"""
    count, heads, width = cache_shape(model)
    past = _cache(count, heads, width, 5)
    mask = torch.ones(2, 8, dtype=torch.int64)
    mask[1, :2] = 0
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, 5:].contiguous()
    axes = {
        "input_ids": ("batch", "length"),
        "attention_mask": ("batch", "past_and_length"),
        "position_ids": ("batch", "length"),
        **_cache_axes("past", count, CACHE_AXES),
    }
    made = {"logits": ("batch", ""), **_cache_axes("present", count, ("batch", "", "past_and_length", ""))}
    return _export(Decoder(model), (_ids(3), mask, positions, past), axes, made, opset)


def export_encoder_decoder(model: PreTrainedModel, opset: int) -> dict[str, ModelProto]:
    """A T5 (Raffel et al. 2020) or BART (Lewis et al. 2020) as two graphs.

    "encoder": input_ids, attention_mask -> cross.N.…; "decoder": input_ids, attention_mask, encoder_attention_mask,
    past.N.…, cross.N.… -> logits, present.N.…
    """
    count, heads, width = cache_shape(model)
    source = torch.ones(2, 6, dtype=torch.int64)
    source[1, 4:] = 0
    ids = {"input_ids": ("batch", "source"), "attention_mask": ("batch", "source")}
    cross = _cache_axes("cross", count, CROSS_AXES)
    encoder = _export(SourceEncoder(model), (_ids(6), source), ids, cross, opset)
    mask = torch.ones(2, 8, dtype=torch.int64)
    mask[1, :2] = 0
    axes = {
        "input_ids": ("batch", "length"),
        "attention_mask": ("batch", "past_and_length"),
        "encoder_attention_mask": ("batch", "source"),
        **_cache_axes("past", count, CACHE_AXES),
        **cross,
    }
    made = {"logits": ("batch", ""), **_cache_axes("present", count, ("batch", "", "past_and_length", ""))}
    given = (_ids(3), mask, source, _cache(count, heads, width, 5), _cache(count, heads, width, 6))
    wrapped = CrossDecoder(model)
    with counted_by_row(model, wrapped.places):
        return {"encoder": encoder, "decoder": _export(wrapped, given, axes, made, opset)}


@contextmanager
def counted_by_row(model: PreTrainedModel, places: _Places | None) -> Iterator[None]:
    """Lend the decoder other positions while it is traced."""
    decoder: Any = model.get_decoder()
    if places is not None:
        decoder.embed_positions = places
    try:
        yield
    finally:
        if places is not None:
            decoder.embed_positions = places.learned


def export_encoder(encoder: SentenceEncoder, opset: int) -> ModelProto:
    """An encoder for texts as vectors: input_ids, attention_mask -> embedding (batch, width)."""
    mask = torch.ones(2, 8, dtype=torch.int64)
    mask[1, 5:] = 0
    axes = {"input_ids": ("batch", "length"), "attention_mask": ("batch", "length")}
    return _export(encoder, (_ids(8), mask), axes, {"embedding": ("batch", "")}, opset)


def cache_shape(model: PreTrainedModel) -> tuple[int, int, int]:
    """Layers of the decoder, heads of keys and values, width of a head: as a first token leaves them.

    Configs call them by a dozen names, and some architectures share heads without saying so.
    """
    token = torch.zeros(1, 1, dtype=torch.int64)
    given = {"input_ids": token} | ({"decoder_input_ids": token} if model.config.is_encoder_decoder else {})
    with torch.no_grad():
        cache = model(**given, use_cache=True).past_key_values
    layers = _layers(getattr(cache, "self_attention_cache", cache))
    _, heads, _, width = layers[0][0].shape
    return len(layers), heads, width


def _export(
    model: nn.Module,
    given: tuple[Any, ...],
    inputs: Axes,
    outputs: Axes,
    opset: int,
) -> ModelProto:
    parameters = sum(weight.numel() for weight in model.parameters())
    if 4 * parameters > PROTOBUF_LIMIT:
        raise ArtifactError(f"{parameters:,} float32 parameters do not fit one ONNX file", "take a smaller model")
    named = iter(inputs.values())
    shapes = tuple(_dynamic(value, named) for value in given)
    with warnings.catch_warnings(), quiet("torch.onnx"), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            model.eval(),
            given,
            dynamo=True,
            opset_version=opset,
            dynamic_shapes=shapes,
            input_names=list(inputs),
            output_names=[f"{MADE}{name}" for name in outputs],
            verbose=False,
        )
    graph: ModelProto = program.model_proto  # type: ignore[union-attr]
    _drop_prefix(graph)
    return canonical(graph, {**inputs, **outputs})


def _drop_prefix(model: ModelProto) -> None:
    """Give the outputs their names. The exporter itself would let `embedding` be the name of two values."""
    names = {value.name: value.name.removeprefix(MADE) for value in model.graph.output}
    taken = {old: f"{old}.inner" for old in names.values()}
    for node in model.graph.node:
        for field in (node.input, node.output):
            field[:] = [names.get(name, taken.get(name, name)) for name in field]
    for value in model.graph.output:
        value.name = names[value.name]


def _dynamic(value: Any, named: Any) -> Any:
    """The dynamic axes of an example input, in the structure it has."""
    if isinstance(value, Tensor):
        return {place: torch.export.Dim.DYNAMIC for place, name in enumerate(next(named)) if name}
    return type(value)(_dynamic(inner, named) for inner in value)


def _added(seen: Tensor) -> Tensor:
    return torch.where(seen, 0.0, MASKED)


def _ids(length: int) -> Tensor:
    return torch.full((2, length), 4, dtype=torch.int64)


def _cache(count: int, heads: int, width: int, length: int) -> Layers:
    return [(torch.zeros(2, heads, length, width), torch.zeros(2, heads, length, width)) for _ in range(count)]


def _cache_axes(name: str, count: int, axes: Sequence[str]) -> Axes:
    return {f"{name}.{layer}.{kind}": axes for layer in range(count) for kind in ("key", "value")}


def _layers(cache: DynamicCache) -> Layers:
    return [(layer.keys, layer.values) for layer in cache.layers]  # type: ignore[union-attr,misc]
