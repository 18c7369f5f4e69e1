"""Bundles of small language models, each beside the transformers' folder that it was made from."""

from __future__ import annotations

from pathlib import Path

from components.deployment.generation.bundle import BundleOptions, make_bundle
from components.deployment.generation.gate import Limits
from tests.small_artifacts import sentences
from tests.small_language_models import small_model_folder

TEXTS = [text for text, _ in sentences(60, seed=99)]
LENIENT = BundleOptions(measure=False, limits=Limits(max_perplexity_loss=1.0, min_agreement=0.1))
"""A model this small loses much to four bits; what is refused is tested by itself."""


def bundled(folder: Path, name: str, tokenizer: Path) -> Path:
    small_model_folder(folder / name, name, tokenizer)
    make_bundle(folder / name, folder / "bundle", TEXTS, LENIENT, say=lambda line: None)
    return folder / "bundle"
