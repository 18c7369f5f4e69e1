"""A GPT-2 as one would write it by hand for speed: fused qkv, torch's attention, the whole matrix of logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import GPT2LMHeadModel


class Block(nn.Module):
    """Attention and feed-forward, each after a norm, each added to the stream."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, stream: Tensor) -> Tensor:
        batch, length, width = stream.shape
        qkv = self.qkv(self.ln_1(stream)).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        stream = stream + self.out(mixed.transpose(1, 2).reshape(batch, length, width))
        return stream + self.down(functional.gelu(self.up(self.ln_2(stream)), approximate="tanh"))


class Handwritten(nn.Module):
    """Computes what transformers' GPT-2 of the same shape and weights computes, without dropout."""

    def __init__(self, peer: GPT2LMHeadModel) -> None:
        super().__init__()
        config = peer.config
        self.tokens = nn.Embedding(config.vocab_size, config.n_embd)
        self.places = nn.Embedding(config.n_positions, config.n_embd)
        self.blocks = nn.ModuleList(Block(config.n_embd, config.n_head) for _ in range(config.n_layer))
        self.norm = nn.LayerNorm(config.n_embd)
        self.head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.head.weight = self.tokens.weight
        self._copy(peer)

    def forward(self, ids: Tensor) -> Tensor:
        """Mean cross-entropy of every next token; ids [n, length]."""
        stream = self.tokens(ids) + self.places.weight[: ids.shape[1]]
        for block in self.blocks:
            stream = block(stream)
        logits = self.head(self.norm(stream[:, :-1]))
        return functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())

    @torch.no_grad()
    def _copy(self, peer: GPT2LMHeadModel) -> None:
        base = peer.transformer
        pairs: list[tuple[nn.Module, nn.Module]] = [(self.norm, base.ln_f)]
        for mine, theirs in zip(self.blocks, base.h, strict=True):
            pairs += [(mine.ln_1, theirs.ln_1), (mine.ln_2, theirs.ln_2)]
            pairs += [(mine.qkv, theirs.attn.c_attn), (mine.out, theirs.attn.c_proj)]
            pairs += [(mine.up, theirs.mlp.c_fc), (mine.down, theirs.mlp.c_proj)]
        for mine, theirs in pairs:
            # transformers keeps GPT-2's matrices as [in, out].
            mine.weight.copy_(theirs.weight.T if theirs.weight.ndim == 2 else theirs.weight)
            mine.bias.copy_(theirs.bias)
        self.tokens.weight.copy_(base.wte.weight)
        self.places.weight.copy_(base.wpe.weight)
