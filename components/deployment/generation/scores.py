"""How unlikely each token of a text is to a model, in PyTorch or as a rung: answers of `kind: generation`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from components.runtime.generation.chat import render
from components.tasks.generation import Encoded, Message, Render, encoded, padded_scores, plain_turns, token_scores
from components.tasks.task import NO_TARGET

if TYPE_CHECKING:
    from components.runtime.generation.generator import Generator

Score = Callable[[Sequence[str]], np.ndarray]
"""Texts -> float32 [texts, tokens, 2], as `components.tasks.generation.token_scores` has them."""


@dataclass(frozen=True)
class RowEncoder:
    """Texts of `kind: generation` as ids, as the training has them; `end`: the token at the end of a text."""

    tokenizer: Tokenizer
    max_length: int
    end: int
    render: Render = plain_turns

    @classmethod
    def of_generator(cls, generator: Generator) -> RowEncoder:
        """For a rung."""
        turns = turns_of(generator.chat_template, generator.special_tokens)
        return cls(generator.tokenizer, generator.max_length, min(generator.stop_ids), turns)

    @classmethod
    def of_bundle(cls, tokenizer: Path, made: Mapping[str, Any]) -> RowEncoder:
        """For what is compared with the rungs of a bundle, by its manifest."""
        turns = turns_of(made["chat_template"], made["special_tokens"])
        return cls(Tokenizer.from_file(str(tokenizer)), made["max_length"], min(made["stop_ids"]), turns)

    def __call__(self, texts: Sequence[str]) -> list[Encoded]:
        return encoded(texts, self._ids, self.render, self.end, self.max_length)

    def _ids(self, texts: list[str]) -> list[list[int]]:
        return [found.ids for found in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]


def turns_of(template: str | None, tokens: Mapping[str, str]) -> Render:
    """How a chat template writes messages; lines where there is none."""
    if template is None:
        return plain_turns

    def turns(messages: Sequence[Message], asks: bool) -> str:
        return render(template, messages, tokens, asks)

    return turns


def generator_scores(generator: Generator, texts: Sequence[str]) -> np.ndarray:
    """By a rung, a token after the other from the cache, as it is served: rows of like length side by side."""
    from components.runtime.generation.sampling import Sampling

    greedy = Sampling(max_tokens=1, temperature=0.0, top_p=1.0, seed=None, stop=())
    rows = [(row.ids, row.targets) for row in RowEncoder.of_generator(generator)(texts)]
    found: list[np.ndarray] = [np.full((len(ids), 2), np.nan, dtype=np.float32) for ids, _ in rows]
    # A prompt is read at once, up to the first token that is asked for.
    wanted = [np.flatnonzero(targets != NO_TARGET) for _, targets in rows]
    order = sorted((number for number, places in enumerate(wanted) if len(places)), key=lambda one: len(rows[one][0]))
    for first in range(0, len(order), ROWS):
        batch = order[first : first + ROWS]
        going = {number: generator.start(rows[number][0][: wanted[number][0] + 1], greedy) for number in batch}
        while going:
            for number, logits in zip(list(going), generator.advance(list(going.values())), strict=True):
                ids, targets = rows[number]
                place = len(going[number]) - 1
                found[number][place] = token_scores(logits[None], targets[place : place + 1])[0]
                if place == wanted[number][-1]:
                    del going[number]
                else:
                    going[number].tokens.append(ids[place + 1])
    return padded_scores(found)


ROWS = 16
"""Rows that are read side by side."""


def torch_scores(folder: Path, max_length: int) -> Score:
    """By a checkpoint in PyTorch, every row at once and alone."""
    import torch
    from transformers import AutoModelForCausalLM

    from components.modeling.loading import load_model

    model: Any = load_model(AutoModelForCausalLM, folder).model.eval()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end = int(model.config.eos_token_id if model.config.eos_token_id is not None else model.config.sep_token_id)
    told = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    tokens = {role: token for role, token in told.items() if role.endswith("_token")}
    encode = RowEncoder(tokenizer, max_length, end, turns_of(told.get("chat_template"), tokens))

    def scores(texts: Sequence[str]) -> np.ndarray:
        found: list[np.ndarray] = []
        for row in encode(texts):
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([row.ids])).logits[0].float().numpy()
            found.append(token_scores(logits, row.targets))
        return padded_scores(found)

    return scores
