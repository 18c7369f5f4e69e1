"""What an encoder-decoder writes for each text, in PyTorch or as a rung: answers of translation and summarization."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from components.runtime.generation.generator import Generator
    from components.tasks.task import Task

ROWS = 16
"""Texts that are read side by side."""


def sources_of(generator: Generator, texts: Sequence[str]) -> list[list[int]]:
    """Ids of each text as a task's rows are encoded: cut, special tokens kept."""
    tokenizer = generator.tokenizer
    tokenizer.enable_truncation(generator.max_length)
    found = tokenizer.encode_batch_fast(list(texts), add_special_tokens=True)
    tokenizer.no_truncation()
    return [encoding.ids for encoding in found]


def generator_answers(task: Task, generator: Generator, texts: Sequence[str]) -> np.ndarray:
    """By a rung, greedily, as it is served: texts of like length side by side."""
    from components.runtime.generation.sampling import Sampling

    greedy = Sampling(generator.max_length - 1, temperature=0.0, top_p=1.0, seed=None, stop=())
    sources = sources_of(generator, texts)
    found = [""] * len(texts)
    order = sorted(range(len(texts)), key=lambda number: len(sources[number]))
    for first in range(0, len(order), ROWS):
        rows = {number: generator.start(sources[number], greedy) for number in order[first : first + ROWS]}
        while going := [row for row in rows.values() if row.finished is None]:
            generator.step(going)
        found = [rows[number].text if number in rows else text for number, text in enumerate(found)]
    return task.written(found)


def torch_answers(task: Task, folder: Path, max_length: int) -> Callable[[Sequence[str]], np.ndarray]:
    """By a checkpoint in PyTorch, every text alone."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, PreTrainedTokenizerFast

    from components.modeling.loading import load_model

    model: Any = load_model(AutoModelForSeq2SeqLM, folder).model.eval()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, trust_remote_code=False)

    def answers(texts: Sequence[str]) -> np.ndarray:
        written = []
        for text in texts:
            given = torch.tensor([tokenizer(text, truncation=True, max_length=max_length)["input_ids"]])
            settings = {"max_new_tokens": max_length - 1, "do_sample": False, "num_beams": 1}
            with torch.inference_mode():
                ids = model.generate(given, attention_mask=torch.ones_like(given), **settings)[0]
            written.append(tokenizer.decode(ids, skip_special_tokens=True))
        return task.written(written)

    return answers
