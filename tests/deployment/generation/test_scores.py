from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from components.deployment.generation.scores import RowEncoder, generator_scores, torch_scores
from components.runtime.generation.generator import load_generator
from components.tasks.generation import PART, text_of
from tests.small_language_bundles import TEXTS


def test_a_rung_scores_each_token_as_its_model_does_in_pytorch(decoder_bundle: Path) -> None:
    generator = load_generator(decoder_bundle, "fp32")
    expected = torch_scores(decoder_bundle.parent / "gpt2", generator.max_length)(TEXTS[:20])
    found = generator_scores(generator, TEXTS[:20])
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_answers_are_scored_alone_by_a_rung_and_by_pytorch_alike(decoder_bundle: Path) -> None:
    """A prompt is read at once, as it is when somebody asks."""
    generator = load_generator(decoder_bundle, "fp32")
    turns = [{"role": "user", "content": "ship"}, {"role": "assistant", "content": "wave sail"}]
    texts = [f"ship wave{PART} sail", text_of([*turns, *turns]), "ship wave sail"]
    expected = torch_scores(decoder_bundle.parent / "gpt2", generator.max_length)(texts)
    found = generator_scores(generator, texts)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    scored = ~np.isnan(found[:, :, 0])
    assert scored[2, 0]
    assert not scored[0, 0]
    assert scored.any(axis=1).all()


def test_a_chat_template_writes_the_same_for_a_rung_and_for_pytorch(decoder_bundle: Path, tmp_path: Path) -> None:
    """The first reads it from its manifest, the second from the tokenizer's folder."""
    template = "{% for one in messages %}{{ one.content }}{{ eos_token }} {% endfor %}"
    folder = shutil.copytree(decoder_bundle.parent / "gpt2", tmp_path / "gpt2")
    told = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(told | {"chat_template": template}))
    generator = load_generator(decoder_bundle, "fp32")
    asked = replace(generator, chat_template=template)
    turns = [{"role": "user", "content": "ship"}, {"role": "assistant", "content": "wave sail"}]
    found = generator_scores(asked, [text_of(turns)])
    np.testing.assert_allclose(found, torch_scores(folder, asked.max_length)([text_of(turns)]), atol=1e-4)
    assert found.shape != generator_scores(generator, [text_of(turns)]).shape


def test_a_text_without_a_second_token_has_no_score(decoder_bundle: Path) -> None:
    generator = load_generator(decoder_bundle, "fp32")
    found = generator_scores(generator, ["", TEXTS[0]])
    assert np.isnan(found[0]).all()
    assert not np.isnan(found[1, 0]).any()


@pytest.mark.parametrize("length", [3, 64])
def test_a_text_is_cut_or_has_its_end(tokenizer_folder: Path, length: int) -> None:
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    [row] = RowEncoder(tokenizer, length, end=2)([TEXTS[0]])
    whole = tokenizer.encode(TEXTS[0], add_special_tokens=False).ids
    assert row.ids == (whole[:3] if length == 3 else [*whole, 2])
