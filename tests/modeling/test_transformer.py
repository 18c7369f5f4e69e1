"""The Transformer to read gives what PyTorch's and transformers' give with the same weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model, MarianConfig, MarianMTModel

from components.modeling.transformer import (
    Decoder,
    DecoderLayer,
    DecoderOnly,
    Encoder,
    EncoderLayer,
    MultiHeadAttention,
    Residual,
    Size,
    Transformer,
    attention,
    causal_mask,
    sinusoidal_positions,
)

SIZE = Size(width=32, heads=4, feed_forward=48, layers=2)
BOTH = [SIZE, replace(SIZE, norm_first=True)]
VOCABULARY = 50


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    torch.manual_seed(7)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def equal(ours: Tensor, theirs: Tensor) -> None:
    assert (ours - theirs).abs().max() < 1e-6


def random(module: nn.Module) -> nn.Module:
    """Every weight drawn anew, biases and norms too, so that none of them goes unnoticed."""
    for weight in module.parameters():
        nn.init.normal_(weight, std=0.3)
    return module.eval()


def copy(ours: nn.Module, theirs: nn.Module) -> None:
    """A linear map or a norm: of transformers' Conv1D the weights stand the other way round."""
    weight = theirs.weight.T if type(theirs).__name__ == "Conv1D" else theirs.weight
    with torch.no_grad():
        ours.weight.copy_(weight)  # type: ignore[operator, union-attr]
        ours.bias.copy_(theirs.bias)  # type: ignore[operator, union-attr, arg-type]


def copy_stacked(ours: MultiHeadAttention, weight: Tensor, bias: Tensor) -> None:
    """Query, key and value, one below the other."""
    with torch.no_grad():
        for part, matrix, vector in zip(
            (ours.query, ours.key, ours.value), weight.chunk(3), bias.chunk(3), strict=True
        ):
            part.weight.copy_(matrix)
            part.bias.copy_(vector)


def copy_attention(ours: MultiHeadAttention, theirs: nn.MultiheadAttention) -> None:
    copy_stacked(ours, theirs.in_proj_weight, theirs.in_proj_bias)
    copy(ours.output, theirs.out_proj)


def copy_layer(
    ours: EncoderLayer | DecoderLayer, theirs: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer
) -> None:
    """PyTorch numbers the norms in the order of the sublayers."""
    copy_attention(ours.self_attention, theirs.self_attn)
    copy(ours.feed_forward.up, theirs.linear1)
    copy(ours.feed_forward.down, theirs.linear2)
    residuals: list[Residual] = [ours.around_attention, ours.around_feed_forward]
    if isinstance(ours, DecoderLayer):
        copy_attention(ours.cross_attention, theirs.multihead_attn)  # type: ignore[arg-type]
        residuals.insert(1, ours.around_cross)
    for number, residual in enumerate(residuals, 1):
        copy(residual.norm, getattr(theirs, f"norm{number}"))


def settings_of(size: Size) -> dict[str, object]:
    return {
        "d_model": size.width,
        "nhead": size.heads,
        "dim_feedforward": size.feed_forward,
        "norm_first": size.norm_first,
        "batch_first": True,
        "dropout": 0.0,
    }


@pytest.mark.parametrize("mask", [None, causal_mask(5)])
def test_attention_is_pytorchs(mask: Tensor | None) -> None:
    query, key, value = torch.randn(3, 2, 4, 5, 8)
    equal(attention(query, key, value, mask), functional.scaled_dot_product_attention(query, key, value, mask))


def test_attention_of_two_keys_by_hand() -> None:
    """Scores 2 / √4 and 0: weights e / (e + 1) and 1 / (e + 1)."""
    query, key = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    value = torch.tensor([[1.0], [0.0]])
    assert attention(query, key, value).item() == pytest.approx(math.e / (math.e + 1))


def test_multi_head_attention_is_pytorchs() -> None:
    theirs = random(nn.MultiheadAttention(32, 4, batch_first=True))
    ours = MultiHeadAttention(SIZE)
    copy_attention(ours, theirs)  # type: ignore[arg-type]
    x, memory = torch.randn(2, 5, 32), torch.randn(2, 7, 32)
    equal(ours(x, memory), theirs(x, memory, memory)[0])


@pytest.mark.parametrize("size", BOTH)
def test_layers_are_pytorchs(size: Size) -> None:
    """With a mask of the memory, as padding gives one, too."""
    x, memory, padding = torch.randn(2, 5, 32), torch.randn(2, 7, 32), torch.arange(7) < torch.tensor([[7], [4]])
    encoder = random(nn.TransformerEncoderLayer(**settings_of(size)))  # type: ignore[arg-type]
    decoder = random(nn.TransformerDecoderLayer(**settings_of(size)))  # type: ignore[arg-type]
    ours, ours_too = EncoderLayer(size), DecoderLayer(size)
    copy_layer(ours, encoder)  # type: ignore[arg-type]
    copy_layer(ours_too, decoder)  # type: ignore[arg-type]
    mask = causal_mask(5)
    theirs = decoder(x, memory, tgt_mask=~mask, memory_key_padding_mask=~padding)
    equal(ours(memory, padding[:, None, None]), encoder(memory, src_key_padding_mask=~padding))
    equal(ours_too(x, mask, memory, padding[:, None, None]), theirs)


def test_both_stacks_are_pytorchs() -> None:
    size = replace(SIZE, norm_first=True)
    theirs = random(nn.Transformer(num_encoder_layers=2, num_decoder_layers=2, **settings_of(size)))  # type: ignore[arg-type]
    encoder, decoder = Encoder(size), Decoder(size)
    for ours, other in ((encoder, theirs.encoder), (decoder, theirs.decoder)):
        for layer, another in zip(ours.layers, other.layers, strict=True):  # type: ignore[union-attr, arg-type]
            copy_layer(layer, another)
        copy(ours.norm, other.norm)  # type: ignore[union-attr, arg-type]
    source, target = torch.randn(2, 7, 32), torch.randn(2, 5, 32)
    equal(decoder(target, encoder(source)), theirs(source, target, tgt_mask=~causal_mask(5)))


def test_an_encoder_is_transformers_bert() -> None:
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_attention_heads=4, intermediate_size=48, num_hidden_layers=2
    )
    config.layer_norm_eps = 1e-5
    bert = random(BertModel(config, add_pooling_layer=False))
    ours = Encoder(replace(SIZE, activation=functional.gelu))
    for layer, theirs in zip(ours.layers, bert.encoder.layer, strict=True):  # type: ignore[union-attr, arg-type]
        mine, own = layer.self_attention, theirs.attention
        pairs = [(mine.query, own.self.query), (mine.key, own.self.key), (mine.value, own.self.value)]
        pairs += [(mine.output, own.output.dense), (layer.around_attention.norm, own.output.LayerNorm)]
        pairs += [(layer.feed_forward.up, theirs.intermediate.dense), (layer.feed_forward.down, theirs.output.dense)]
        pairs += [(layer.around_feed_forward.norm, theirs.output.LayerNorm)]
        for pair in pairs:
            copy(*pair)
    tokens, padding = torch.randint(VOCABULARY, (2, 7)), torch.arange(7) < torch.tensor([[7], [4]])
    found = bert(tokens, attention_mask=padding.long()).last_hidden_state
    equal(ours(bert.embeddings(tokens), padding[:, None, None]), found)  # type: ignore[operator]


def test_a_decoder_alone_is_transformers_gpt2() -> None:
    config = GPT2Config(vocab_size=VOCABULARY, n_positions=16, n_embd=32, n_head=4, n_inner=48, n_layer=2)
    gpt2 = random(GPT2Model(config))
    tanh = lambda x: functional.gelu(x, approximate="tanh")  # noqa: E731
    ours = DecoderOnly(replace(SIZE, norm_first=True, activation=tanh))
    for layer, theirs in zip(ours.layers, gpt2.h, strict=True):  # type: ignore[arg-type]
        copy_stacked(layer.self_attention, theirs.attn.c_attn.weight.T, theirs.attn.c_attn.bias)
        copy(layer.self_attention.output, theirs.attn.c_proj)
        copy(layer.around_attention.norm, theirs.ln_1)
        copy(layer.around_feed_forward.norm, theirs.ln_2)
        copy(layer.feed_forward.up, theirs.mlp.c_fc)
        copy(layer.feed_forward.down, theirs.mlp.c_proj)
    copy(ours.norm, gpt2.ln_f)  # type: ignore[arg-type]
    tokens = torch.randint(VOCABULARY, (2, 7))
    x = gpt2.wte(tokens) + gpt2.wpe(torch.arange(7))  # type: ignore[operator]
    equal(ours(x), gpt2(tokens).last_hidden_state)


def marian_config(d_model: int) -> MarianConfig:
    return MarianConfig(
        vocab_size=VOCABULARY,
        d_model=d_model,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        activation_function="relu",
        scale_embedding=True,
        pad_token_id=0,
        eos_token_id=0,
        decoder_start_token_id=0,
        max_position_embeddings=16,
    )


def test_encoder_and_decoder_are_transformers_marian() -> None:
    """The model nearest to the paper's: post-norm, sinusoidal positions, one matrix of embeddings."""
    marian = random(MarianMTModel(marian_config(d_model=32)))
    ours = Transformer(VOCABULARY, SIZE)
    positions = sinusoidal_positions(16, 32)
    with torch.no_grad():
        ours.embedding.weight.copy_(marian.model.shared.weight)
        marian.final_logits_bias.zero_()
        # Marian has its sines in the first half of the dimensions; embeddings are learned, so their order is free.
        for stack in (marian.model.encoder, marian.model.decoder):
            stack.embed_positions.weight.copy_(positions)
    for mine, theirs in ((ours.encoder, marian.model.encoder), (ours.decoder, marian.model.decoder)):
        for layer, other in zip(mine.layers, theirs.layers, strict=True):
            copy_marian(layer, other)
    source, target = torch.randint(1, VOCABULARY, (2, 7)), torch.randint(1, VOCABULARY, (2, 5))
    padding = torch.arange(7) < torch.tensor([[7], [4]])
    found = marian(input_ids=source, attention_mask=padding.long(), decoder_input_ids=target).logits
    equal(ours(source, target, padding[:, None, None]), found)


def copy_marian(layer: EncoderLayer | DecoderLayer, theirs: nn.Module) -> None:
    attentions = [(layer.self_attention, theirs.self_attn, layer.around_attention, theirs.self_attn_layer_norm)]
    if isinstance(layer, DecoderLayer):
        attentions += [(layer.cross_attention, theirs.encoder_attn, layer.around_cross, theirs.encoder_attn_layer_norm)]
    for mine, other, residual, norm in attentions:
        for name in ("q_proj:query", "k_proj:key", "v_proj:value", "out_proj:output"):
            own, _, name = name.partition(":")
            copy(getattr(mine, name), getattr(other, own))
        copy(residual.norm, norm)  # type: ignore[arg-type]
    copy(layer.feed_forward.up, theirs.fc1)  # type: ignore[arg-type]
    copy(layer.feed_forward.down, theirs.fc2)  # type: ignore[arg-type]
    copy(layer.around_feed_forward.norm, theirs.final_layer_norm)  # type: ignore[arg-type]


def test_positions_are_sines_and_cosines_of_longer_and_longer_waves() -> None:
    found = sinusoidal_positions(6, 4)
    assert found[3].tolist() == pytest.approx([math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)], abs=1e-6)
    # Marian's, whose sines stand before its cosines.
    theirs = MarianMTModel(marian_config(d_model=4)).model.encoder.embed_positions.weight[:6]
    equal(torch.cat([found[:, 0::2], found[:, 1::2]], dim=1), theirs)
