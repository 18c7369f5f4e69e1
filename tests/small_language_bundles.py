"""Bundles of small language models, each beside the transformers' folder that it was made from."""

from __future__ import annotations

from pathlib import Path

from components.deployment.folder_bundle import BundleOptions, make_bundle
from components.params import load_params
from tests.small_artifacts import sentences
from tests.small_language_models import small_model_folder

TEXTS = [text for text, _ in sentences(60, seed=99)]
LIMITS = load_params(Path("params.yaml")).gate
LENIENT = LIMITS.model_copy(update={"max_loss": 1.0, "min_token_agreement": 0.1})
"""A model this small loses much to four bits; what is refused is tested by itself."""


def bundled(folder: Path, name: str, tokenizer: Path) -> Path:
    small_model_folder(folder / name, name, tokenizer)
    make_bundle(folder / name, folder / "bundle", TEXTS, BundleOptions(measure=False), LENIENT, say=lambda line: None)
    return folder / "bundle"
