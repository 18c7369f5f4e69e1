"""Small models in transformers' folders and their bundles, each made once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.deployment.generation.bundle import BundleOptions, make_bundle
from components.deployment.generation.gate import Limits
from components.deployment.generation.generator import Generator, load_generator
from tests.small_artifacts import sentences
from tests.small_language_models import small_model_folder

TEXTS = [text for text, _ in sentences(60, seed=99)]
LENIENT = BundleOptions(measure=False, limits=Limits(max_perplexity_loss=1.0, min_agreement=0.1))
"""A model this small loses much to four bits; what is refused is tested by itself."""


def bundled(folder: Path, name: str, tokenizer: Path) -> Path:
    small_model_folder(folder / name, name, tokenizer)
    make_bundle(folder / name, folder / "bundle", TEXTS, LENIENT, say=lambda line: None)
    return folder / "bundle"


@pytest.fixture(scope="session")
def decoder_bundle(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A GPT-2 of one layer that has learnt some words; its checkpoint lies beside it in gpt2/."""
    return bundled(tmp_path_factory.mktemp("decoder"), "gpt2", tokenizer_folder)


@pytest.fixture(scope="session")
def encoder_decoder_bundle(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A T5 of one layer with random weights; its checkpoint lies beside it in t5/."""
    return bundled(tmp_path_factory.mktemp("encoder_decoder"), "t5", tokenizer_folder)


@pytest.fixture(scope="session")
def embedding_bundle(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A ModernBERT of one layer with random weights; its checkpoint lies beside it in modernbert/."""
    return bundled(tmp_path_factory.mktemp("embedding"), "modernbert", tokenizer_folder)


@pytest.fixture(scope="session")
def generator(decoder_bundle: Path) -> Generator:
    return load_generator(decoder_bundle, "fp32")


@pytest.fixture(scope="session")
def translator(encoder_decoder_bundle: Path) -> Generator:
    return load_generator(encoder_decoder_bundle, "fp32")


@pytest.fixture(scope="session")
def decoder_model(decoder_bundle: Path) -> Any:
    """The decoder's bundle's origin, in PyTorch."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(decoder_bundle.parent / "gpt2").eval()


@pytest.fixture(scope="session")
def encoder_decoder_model(encoder_decoder_bundle: Path) -> Any:
    from transformers import AutoModelForSeq2SeqLM

    return AutoModelForSeq2SeqLM.from_pretrained(encoder_decoder_bundle.parent / "t5").eval()
