"""How unlikely each token of a text is to a model, in PyTorch or as a rung: answers of `kind: generation`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from components.tasks.generation import next_tokens, padded_scores, token_scores

if TYPE_CHECKING:
    from components.runtime.generation.generator import Generator

Score = Callable[[Sequence[str]], np.ndarray]
"""Texts -> float32 [texts, tokens, 2], as `components.tasks.generation.token_scores` has them."""


def rows_of(tokenizer: Tokenizer, texts: Sequence[str], max_length: int, end: int) -> list[list[int]]:
    """Ids as `Generation.encode` gives them: the text's own, cut, and the end where there is room for it."""
    found = [
        encoding.ids[:max_length] for encoding in tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
    ]
    return [row if len(row) == max_length else [*row, end] for row in found]


def generator_scores(generator: Generator, texts: Sequence[str]) -> np.ndarray:
    """By a rung, a token after the other from the cache, as it is served: rows of like length side by side."""
    from components.runtime.generation.sampling import Sampling

    greedy = Sampling(max_tokens=1, temperature=0.0, top_p=1.0, seed=None, stop=())
    rows = rows_of(generator.tokenizer, texts, generator.max_length, min(generator.stop_ids))
    found: list[np.ndarray] = [np.full((len(row), 2), np.nan, dtype=np.float32) for row in rows]
    order = sorted((number for number, row in enumerate(rows) if len(row) > 1), key=lambda number: len(rows[number]))
    for first in range(0, len(order), ROWS):
        batch = order[first : first + ROWS]
        going = {number: generator.start(rows[number][:1], greedy) for number in batch}
        while going:
            for number, logits in zip(list(going), generator.advance(list(going.values())), strict=True):
                place = len(going[number].tokens)
                found[number][place] = token_scores(logits[None], rows[number][place + 1 : place + 2])[0]
                if place + 2 == len(rows[number]):
                    del going[number]
                else:
                    going[number].tokens.append(rows[number][place + 1])
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

    def scores(texts: Sequence[str]) -> np.ndarray:
        found: list[np.ndarray] = []
        for row in rows_of(tokenizer, texts, max_length, end):
            with torch.inference_mode():
                logits = model(input_ids=torch.tensor([row])).logits[0].float().numpy()
            found.append(token_scores(logits, next_tokens(row)))
        return padded_scores(found)

    return scores
