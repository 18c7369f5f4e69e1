"""lianzi: what a user's own code imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lianzi
from components.runtime.bundle import load_bundle
from components.runtime.generation import embedder, generator
from tests.serving.conftest import language_bundle
from tests.small_ladder import Ladder

TEXTS = ["ship wave whale tide", "門 市 tower street"]
TIMED = "import time; began = time.perf_counter(); import lianzi; print(time.perf_counter() - began)"
HEAVY = (
    "import sys, lianzi; print(sorted({'numpy', 'onnxruntime', 'tokenizers', 'torch', 'pydantic'} & set(sys.modules)))"
)


def test_the_package_is_imported_in_less_than_three_tenths_of_a_second() -> None:
    assert min(float(subprocess.check_output([sys.executable, "-c", TIMED])) for _ in range(3)) < 0.3


def test_importing_the_package_imports_no_other_library() -> None:
    assert subprocess.check_output([sys.executable, "-c", HEAVY], text=True).strip() == "[]"


def test_a_bundle_answers_texts(ladder: Ladder) -> None:
    assert lianzi.load_bundle(str(ladder.bundle)).predict(TEXTS) == load_bundle(ladder.bundle).predict(TEXTS)
    assert lianzi.load_bundle(ladder.bundle, rung="fp32").rung == "fp32"


def test_what_is_no_bundle_is_an_error_to_catch(tmp_path: Path) -> None:
    with pytest.raises(lianzi.LianziError, match=str(tmp_path)):
        lianzi.load_bundle(tmp_path)


def test_a_language_model_completes_texts(tmp_path: Path, tokenizer_folder: Path) -> None:
    bundle = language_bundle(tmp_path, "gpt2", tokenizer_folder)
    sampling = lianzi.Sampling(max_tokens=5, temperature=0.0, top_p=1.0, seed=None, stop=())
    expected = generator.load_generator(bundle).complete(["ship"], sampling)
    assert lianzi.load_generator(str(bundle)).complete(["ship"], sampling) == expected


def test_a_sentence_encoder_embeds_texts(tmp_path: Path, tokenizer_folder: Path) -> None:
    bundle = language_bundle(tmp_path, "modernbert", tokenizer_folder)
    expected = embedder.load_embedder(bundle).embed(TEXTS)
    assert np.array_equal(lianzi.load_embedder(str(bundle)).embed(TEXTS), expected)


def test_a_name_that_is_not_there_is_said_so() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_bundel'"):
        _ = lianzi.load_bundel  # type: ignore[attr-defined]
