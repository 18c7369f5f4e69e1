"""The tokenizer's model.py, run from a written repository; `triton_python_backend_utils` is a stand-in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from components.deployment.triton import TritonSettings, write_repository
from components.runtime.bundle import load_bundle
from tests.deployment.triton_stand_in import Repository
from tests.small_ladder import Ladder

TEXTS = ["The ship met a wave.", "床前明月光,疑是地上霜", "", "tide " * 60, "naïve 👩‍🚀 café"]


def ask(ladder: Ladder, folder: Path, texts: list[bytes], pad_to: int) -> dict[str, np.ndarray]:
    write_repository(ladder.bundle, folder, TritonSettings(pad_to=pad_to))
    return Repository(folder).infer("places_tokenizer", {"text": np.array(texts, dtype=np.object_)})


@pytest.mark.parametrize("pad_to", [1, 8])
def test_ids_and_mask_are_those_of_the_bundles_encoder(ladder: Ladder, tmp_path: Path, pad_to: int) -> None:
    encoder = load_bundle(ladder.bundle).encoder
    found = ask(ladder, tmp_path, [text.encode() for text in TEXTS], pad_to)
    expected = encoder.pad(encoder.encode(TEXTS))
    assert all((found[name] == values).all() for name, values in expected.items())
    assert found["input_ids"].shape == (len(TEXTS), 24)


def test_rows_are_padded_to_a_multiple_but_never_past_the_model(ladder: Ladder, tmp_path: Path) -> None:
    encoder = load_bundle(ladder.bundle).encoder
    length = len(encoder.encode(["sea"])[0])
    found = ask(ladder, tmp_path / "8", [b"sea"], 8)
    assert found["input_ids"].shape == (1, -(-length // 8) * 8)
    assert found["attention_mask"].sum() == length
    assert (found["input_ids"][0, length:] == encoder.pad_id).all()
    assert ask(ladder, tmp_path / "100", [b"sea"], 100)["input_ids"].shape == (1, 24)


@pytest.mark.parametrize(("texts", "told"), [([b"\xff\xfe"], "not UTF-8"), ([], "no rows")])
def test_what_is_not_text_is_an_error_of_that_request(
    ladder: Ladder, tmp_path: Path, texts: list[bytes], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        ask(ladder, tmp_path, texts, 8)
