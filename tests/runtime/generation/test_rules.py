from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import GenerationConfig

from components.runtime.generation.rules import NEUTRAL, Rules

VOCABULARY = 24
LOGITS = np.random.default_rng(3).normal(size=VOCABULARY).astype(np.float32)
READ = [1, 5, 6, 7, 5, 6, 9, 5]
SOURCE = [3, 9, 5, 11, 2]

SETTINGS: dict[str, dict[str, Any]] = {
    "repetition": {"repetition_penalty": 1.7},
    "encouraged repetition": {"repetition_penalty": 0.6},
    "bigrams": {"no_repeat_ngram_size": 2},
    "trigrams": {"no_repeat_ngram_size": 3},
    "single tokens": {"no_repeat_ngram_size": 1},
    "of the source": {"encoder_no_repeat_ngram_size": 2},
    "bad words": {"bad_words_ids": [[4], [9, 5, 8], [6, 5, 3], [5, 10], [2]]},
    "not yet the end": {"min_length": 12},
    "long enough": {"min_length": 8},
    "not yet an end of the answer": {"min_new_tokens": 5},
    "suppressed": {"suppress_tokens": [0, 7, 23]},
    "together": {"repetition_penalty": 1.3, "no_repeat_ngram_size": 2, "suppress_tokens": [1], "min_length": 40},
}


def processed(read: list[int], new: int, last: bool, **settings: Any) -> np.ndarray:
    """By transformers' own logits processors."""
    from transformers.generation.utils import GenerationMixin

    config = GenerationConfig(eos_token_id=2, max_length=len(read) + 1 if last else 200, **settings)
    config._eos_token_tensor = torch.tensor([2])

    class Model:
        config = type("Config", (), {"is_encoder_decoder": False})

        def _merge_criteria_processor_list(self, made: Any, _: Any) -> Any:
            return made

    made = GenerationMixin._get_logits_processor(
        Model(),  # type: ignore[arg-type]
        generation_config=config,
        input_ids_seq_length=len(read) - new,
        encoder_input_ids=torch.tensor([SOURCE]),
        device="cpu",
    )
    return made(torch.tensor([read]), torch.from_numpy(LOGITS.copy())[None])[0].numpy()


def written(**settings: Any) -> Rules:
    found = {key: [value] if key == "forced_eos_token_id" else value for key, value in settings.items()}
    return Rules.of(found | {"end_ids": [2]})


@pytest.mark.parametrize("name", SETTINGS)
def test_scores_are_those_of_transformers(name: str) -> None:
    found = written(**SETTINGS[name]).apply(LOGITS, READ, new=4, last=False, source=SOURCE)
    assert np.array_equal(found, processed(READ, 4, False, **SETTINGS[name])), name
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("read", "new", "last", "settings"),
    [
        ([1], 0, False, {"forced_bos_token_id": 6}),
        ([1, 6], 1, False, {"forced_bos_token_id": 6, "begin_suppress_tokens": [3, 4]}),
        ([1, 6, 8], 2, False, {"forced_bos_token_id": 6, "begin_suppress_tokens": [3, 4]}),
        ([1, 6, 8], 0, False, {"begin_suppress_tokens": [3, 4]}),
        ([1, 6, 8], 2, True, {"forced_eos_token_id": 2}),
        ([1, 6, 8], 2, False, {"forced_eos_token_id": 2}),
        ([1, 6], 1, False, {"no_repeat_ngram_size": 4, "encoder_no_repeat_ngram_size": 4}),
    ],
)
def test_beginnings_and_ends_are_those_of_transformers(
    read: list[int], new: int, last: bool, settings: dict[str, Any]
) -> None:
    found = written(**settings).apply(LOGITS, read, new=new, last=last, source=SOURCE)
    assert np.array_equal(found, processed(read, new, last, **settings))


def test_without_rules_logits_stay_what_they_are() -> None:
    assert Rules.of({}) == NEUTRAL
    assert NEUTRAL.apply(LOGITS, READ, 4, True, SOURCE) is LOGITS


def test_where_nothing_may_be_said_the_model_says_what_it_would() -> None:
    everything = Rules(suppress_tokens=tuple(range(VOCABULARY)))
    assert everything.apply(LOGITS, READ, 4, False, SOURCE) is LOGITS


def test_a_tokens_id_beyond_the_scores_is_no_matter() -> None:
    rules = Rules(no_repeat_ngram_size=1, repetition_penalty=2.0)
    assert rules.apply(LOGITS, [VOCABULARY + 5, 3], 1, False, ()).shape == LOGITS.shape
