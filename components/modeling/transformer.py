"""The Transformer to read (Vaswani et al. 2017), in the parts of docs/transformer.md, which has its formulas.

Shapes: b texts, n positions that ask, m positions that are looked at, d the width of a vector, h heads. A mask is true
where a position may be looked at, and has a shape that broadcasts to [b, h, n, m]. Dropout is left out. The models that
the platform trains are transformers' own (components/modeling/architectures); tests hold the two to the same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class Size:
    """By default the base model of the paper. `norm_first`: layer normalization before each sublayer, as in GPT-2,
    and not after it, as in the paper and in BERT."""

    width: int = 512
    heads: int = 8
    feed_forward: int = 2048
    layers: int = 6
    norm_first: bool = False
    activation: Callable[[Tensor], Tensor] = functional.relu


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention: [..., n, d] from queries [..., n, d], keys and values [..., m, d]."""
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(dim=-1) @ value


class MultiHeadAttention(nn.Module):
    """Attention in h subspaces of d / h dimensions at once."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.heads = size.heads
        self.query, self.key, self.value, self.output = (nn.Linear(size.width, size.width) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor | None = None) -> Tensor:
        """[b, n, d] from x [b, n, d], which looks at memory [b, m, d]."""
        query, key, value = self.split(self.query(x)), self.split(self.key(memory)), self.split(self.value(memory))
        heads = attention(query, key, value, mask)
        return self.output(heads.transpose(1, 2).flatten(2))

    def split(self, x: Tensor) -> Tensor:
        """[b, n, d] as [b, h, n, d / h]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class FeedForward(nn.Module):
    """Two linear maps with a non-linearity between them, the same for every position."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(size.width, size.feed_forward), nn.Linear(size.feed_forward, size.width)
        self.activation = size.activation

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))


class Residual(nn.Module):
    """A sublayer's output added to its input, with layer normalization after the sum, or before the sublayer."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.norm, self.norm_first = nn.LayerNorm(size.width), size.norm_first

    def forward(self, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        if self.norm_first:
            return x + sublayer(self.norm(x))
        return self.norm(x + sublayer(x))


class EncoderLayer(nn.Module):
    """Every position looks at every other, then goes through the feed-forward network."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.self_attention, self.feed_forward = MultiHeadAttention(size), FeedForward(size)
        self.around_attention, self.around_feed_forward = Residual(size), Residual(size)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.around_attention(x, lambda y: self.self_attention(y, y, mask))
        return self.around_feed_forward(x, self.feed_forward)


class DecoderLayer(nn.Module):
    """Every position looks back, then at what an encoder has read, and goes through the feed-forward network."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.self_attention, self.cross_attention = MultiHeadAttention(size), MultiHeadAttention(size)
        self.feed_forward = FeedForward(size)
        self.around_attention, self.around_cross, self.around_feed_forward = (Residual(size) for _ in range(3))

    def forward(self, x: Tensor, mask: Tensor, memory: Tensor, memory_mask: Tensor | None) -> Tensor:
        x = self.around_attention(x, lambda y: self.self_attention(y, y, mask))
        x = self.around_cross(x, lambda y: self.cross_attention(y, memory, memory_mask))
        return self.around_feed_forward(x, self.feed_forward)


def last_norm(size: Size) -> nn.Module:
    """Where layers normalize before their sublayers, what the last one gives has not been normalized yet."""
    return nn.LayerNorm(size.width) if size.norm_first else nn.Identity()


def causal_mask(length: int) -> Tensor:
    """[n, n]: a position looks at itself and at those before it."""
    return torch.ones(length, length, dtype=torch.bool).tril()


class Encoder(nn.Module):
    """A stack of layers that read in both directions: with embeddings and a head, BERT."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(size) for _ in range(size.layers))
        self.norm = last_norm(size)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, mask)
        return self.norm(x)


class DecoderOnly(Encoder):
    """The same stack that looks back alone: with embeddings and a head, GPT."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        causal = causal_mask(x.shape[1])
        return super().forward(x, causal if mask is None else causal & mask)


class Decoder(nn.Module):
    """A stack of layers that look back, and at what an encoder has read."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(size) for _ in range(size.layers))
        self.norm = last_norm(size)

    def forward(self, x: Tensor, memory: Tensor, memory_mask: Tensor | None = None) -> Tensor:
        mask = causal_mask(x.shape[1])
        for layer in self.layers:
            x = layer(x, mask, memory, memory_mask)
        return self.norm(x)


def sinusoidal_positions(length: int, width: int) -> Tensor:
    """[n, d]: sines in even dimensions, cosines in odd ones, of wavelengths from 2π to 10000 · 2π."""
    angles = torch.arange(length)[:, None] / 10000 ** (torch.arange(0, width, 2) / width)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class Transformer(nn.Module):
    """Encoder and decoder. One matrix embeds the tokens of both and gives the logits of the next token."""

    def __init__(self, vocabulary: int, size: Size) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, size.width)
        self.encoder, self.decoder = Encoder(size), Decoder(size)

    def forward(self, source: Tensor, target: Tensor, source_mask: Tensor | None = None) -> Tensor:
        """Logits [b, n, vocabulary] of the token after each of target's [b, n], which source [b, m] stands before."""
        memory = self.encoder(self.embed(source), source_mask)
        x = self.decoder(self.embed(target), memory, source_mask)
        return x @ self.embedding.weight.T

    def embed(self, tokens: Tensor) -> Tensor:
        """[b, n, d] of tokens [b, n]."""
        x = self.embedding(tokens) * math.sqrt(self.embedding.embedding_dim)
        return x + sinusoidal_positions(tokens.shape[1], x.shape[-1]).to(x)
