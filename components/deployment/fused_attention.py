"""Attention and rotary positions as one operator each, where the exporter would write forty small ones.

While a model is exported under `fused`, its attention leaves the nodes lianzi::Attention and lianzi::Rotate in the
graph. `for_onnxruntime` puts ONNX Runtime's own operators in their place (MultiHeadAttention and RotaryEmbedding of
the domain com.microsoft), `portable` standard ones, which every engine knows. Small models spend more time between
nodes than in them: docs/decisions/0025-fused-attention.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import MethodType
from typing import Any

import numpy as np
import onnx.checker
import onnx.inliner
import onnx.parser
import torch
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor, nn
from transformers import AttentionMaskInterface, ModernBertForSequenceClassification, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

DOMAIN = "lianzi"
CONTRIB = "com.microsoft"
MASKS = "lianzi_fused"
"""Name of an attention implementation whose mask is the one given: [batch, length], 1 where a token stands."""


@contextmanager
def fused(model: PreTrainedModel, max_length: int) -> Iterator[bool]:
    """While a model is exported: its attention as single operators, for rows of at most `max_length` tokens.

    Yields whether such are known for the model's layers; if not, nothing is changed. What the model computes then
    are zeros: only an exporter may run it.
    """
    prepare = ARCHITECTURES.get(model.config.model_type)
    changes = prepare(model, max_length) if prepare else []
    if not changes:
        yield False
        return
    AttentionMaskInterface.register(MASKS, _mask)
    before = model.config._attn_implementation
    with ExitStack() as stack:
        model.config._attn_implementation = MASKS
        stack.callback(setattr, model.config, "_attn_implementation", before)
        for module, name, value in changes:
            if name in vars(module) or name in module._modules:
                stack.callback(setattr, module, name, getattr(module, name))
            else:
                stack.callback(delattr, module, name)
            setattr(module, name, value)
        yield True


def for_onnxruntime(graph: ModelProto) -> ModelProto:
    """A copy of the graph with the operators that ONNX Runtime has of its own."""
    made = ModelProto()
    made.CopyFrom(graph)
    first = "first_position"
    for node in _own(made):
        node.CopyFrom(_contrib(node, first))
    _without_detour(made)
    made.graph.initializer.append(helper.make_tensor(first, TensorProto.INT64, [1], [0]))
    made.opset_import.append(helper.make_opsetid(CONTRIB, 1))
    return _without_domain(made)


def _without_detour(graph: ModelProto) -> None:
    """A mask of 0 and 1 need not become boolean on its way to another number."""
    casts = {node.output[0]: node for node in graph.graph.node if node.op_type == "Cast"}
    for node in casts.values():
        before = casts.get(node.input[0])
        if before is not None and _settings(before)["to"] == TensorProto.BOOL:
            node.input[0] = before.input[0]
    read = {name for node in graph.graph.node for name in node.input} | {value.name for value in graph.graph.output}
    for name in casts.keys() - read:
        graph.graph.node.remove(casts[name])


def portable(graph: ModelProto) -> ModelProto:
    """A copy of the graph with standard operators alone."""
    made = ModelProto()
    made.CopyFrom(graph)
    opset = next(one.version for one in made.opset_import if not one.domain)
    for number, node in enumerate(_own(made)):
        name = f"{node.op_type}{number}"
        made.functions.append(onnx.parser.parse_function(_body(node, name, opset)))
        node.op_type = name
        del node.attribute[:]
    made = onnx.inliner.inline_local_functions(made)
    for node in made.graph.node:
        node.name = node.name or node.output[0]  # those from a body have none
    _store_constants(made)
    return _without_domain(made)


def _store_constants(graph: ModelProto) -> None:
    """Numbers as stored tensors, as the exporter has them: converters to other types change those, and no nodes."""
    for node in [node for node in graph.graph.node if node.op_type == "Constant"]:
        ((kind, value),) = _settings(node).items()
        number = np.array(value, np.float32 if kind == "value_float" else np.int64)
        graph.graph.initializer.append(numpy_helper.from_array(number, node.output[0]))
        graph.graph.node.remove(node)


def _own(graph: ModelProto) -> list[NodeProto]:
    return [node for node in graph.graph.node if node.domain == DOMAIN]


def _without_domain(graph: ModelProto) -> ModelProto:
    kept = [one for one in graph.opset_import if one.domain != DOMAIN]
    del graph.opset_import[:]
    graph.opset_import.extend(kept)
    onnx.checker.check_model(graph)
    return graph


def _contrib(node: NodeProto, first: str) -> NodeProto:
    settings = _settings(node)
    given, heads = list(node.input), settings["heads"]
    if node.op_type == "Rotate":
        inputs, name, more = [given[0], first, *given[1:]], "RotaryEmbedding", {}
    else:
        inputs, name, more = [*given[:3], "", given[3]], "MultiHeadAttention", {"scale": settings["scale"]}
    return helper.make_node(name, inputs, list(node.output), name=node.name, domain=CONTRIB, num_heads=heads, **more)


def _body(node: NodeProto, name: str, opset: int) -> str:
    settings = _settings(node)
    head = f'<opset_import: ["": {opset}], domain: "{DOMAIN}">\n{name} '
    return head + (ROTATE if node.op_type == "Rotate" else ATTENTION).format(**settings)


def _settings(node: NodeProto) -> dict[str, Any]:
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}


# Su et al. 2021, both halves of a head turned against each other; cos and sin: [positions, half a head].
ROTATE = """(x, cos, sin) => (y) {{
  heads = Constant <value_ints = [0, 0, {heads}, -1]> ()
  flat = Constant <value_ints = [0, 0, -1]> ()
  zero = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  length = Shape <start = 1, end = 2> (x)
  c = Slice (cos, zero, length, zero)
  s = Slice (sin, zero, length, zero)
  wide_c = Unsqueeze (c, one)
  wide_s = Unsqueeze (s, one)
  split = Reshape (x, heads)
  a, b = Split <axis = -1, num_outputs = 2> (split)
  ac = Mul (a, wide_c)
  bs = Mul (b, wide_s)
  bc = Mul (b, wide_c)
  as = Mul (a, wide_s)
  left = Sub (ac, bs)
  right = Add (bc, as)
  turned = Concat <axis = -1> (left, right)
  y = Reshape (turned, flat)
}}"""
# Vaswani et al. 2017; the hidden tokens' scores are lowered as far as ONNX Runtime's operator lowers them.
ATTENTION = """(q, k, v, mask) => (y) {{
  heads = Constant <value_ints = [0, 0, {heads}, -1]> ()
  flat = Constant <value_ints = [0, 0, -1]> ()
  axes = Constant <value_ints = [1, 2]> ()
  one = Constant <value_float = 1.0> ()
  lowered = Constant <value_float = 10000.0> ()
  scale = Constant <value_float = {scale}> ()
  q_split = Reshape (q, heads)
  k_split = Reshape (k, heads)
  v_split = Reshape (v, heads)
  q_heads = Transpose <perm = [0, 2, 1, 3]> (q_split)
  k_heads = Transpose <perm = [0, 2, 3, 1]> (k_split)
  v_heads = Transpose <perm = [0, 2, 1, 3]> (v_split)
  q_scaled = Mul (q_heads, scale)
  scores = MatMul (q_scaled, k_heads)
  kept = Cast <to = 1> (mask)
  hidden = Sub (kept, one)
  penalty = Mul (hidden, lowered)
  wide = Unsqueeze (penalty, axes)
  masked = Add (scores, wide)
  shares = Softmax <axis = -1> (masked)
  mixed = MatMul (shares, v_heads)
  together = Transpose <perm = [0, 2, 1, 3]> (mixed)
  y = Reshape (together, flat)
}}"""

Change = tuple[nn.Module, str, Any]
"""A module, the name of something of it, and what that is while exporting."""


def _modernbert(model: PreTrainedModel, max_length: int) -> list[Change]:
    base: Any = model.base_model
    kinds = sorted(set(model.config.layer_types))
    if kinds != ["full_attention"]:
        return []
    changes: list[Change] = [(base, "rotary_emb", _Positions(base.rotary_emb, max_length, kinds[0]))]
    changes += [(layer.attn, "forward", MethodType(_modernbert_attention, layer.attn)) for layer in base.layers]
    if isinstance(model, ModernBertForSequenceClassification) and model.config.classifier_pooling == "mean":
        changes.append((model, "forward", MethodType(_modernbert_classify, model)))
    return changes


class _Positions(nn.Module):
    """The angles of all positions, half a head each, instead of their computation from the positions."""

    def __init__(self, rotary: nn.Module, max_length: int, kind: str) -> None:
        super().__init__()
        angles = rotary(torch.zeros(1, max_length, 1), torch.arange(max_length)[None], kind)
        for name, values in zip(("cos", "sin"), angles, strict=True):
            self.register_buffer(name, values[0, :, : values.shape[-1] // 2].clone())

    def forward(self, *_: Any, **__: Any) -> tuple[Tensor, Tensor]:
        return self.cos, self.sin  # type: ignore[return-value]


def _modernbert_attention(
    self: Any, hidden_states: Tensor, position_embeddings: Any, attention_mask: Tensor, **_: Any
) -> tuple[Tensor, None]:
    heads = self.config.num_attention_heads
    query, key, value = self.Wqkv(hidden_states).chunk(3, -1)
    query, key = (_operator("Rotate", (one, *position_embeddings), {"heads": heads}) for one in (query, key))
    settings = {"heads": heads, "scale": self.head_dim**-0.5}
    return self.Wo(_operator("Attention", (query, key, value, attention_mask), settings)), None


def _modernbert_classify(self: Any, input_ids: Tensor, attention_mask: Tensor, **_: Any) -> SequenceClassifierOutput:
    """The mean over the tokens as one product of matrices."""
    hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    weights = attention_mask.to(hidden.dtype)
    mean = (weights[:, None] @ hidden)[:, 0] / weights.sum(1, keepdim=True)
    return SequenceClassifierOutput(logits=self.classifier(self.drop(self.head(mean))))


def _operator(name: str, inputs: tuple[Tensor, ...], settings: dict[str, Any]) -> Tensor:
    """A node of our domain whose output is like its first input."""
    first = inputs[0]
    made: Tensor = torch.onnx.ops.symbolic(
        f"{DOMAIN}::{name}", inputs, settings, dtype=first.dtype, shape=tuple(first.shape), version=1
    )
    return made


def _mask(*_: Any, attention_mask: Tensor, **__: Any) -> Tensor:
    return attention_mask.to(torch.int32)


ARCHITECTURES: dict[str, Callable[[PreTrainedModel, int], list[Change]]] = {"modernbert": _modernbert}
"""Model type -> what to change while exporting."""
