"""What every test shares: the repository's root, params that are small, a run that remembers."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components import tracking
from components.forkserver.client import ADDRESS
from components.params import Params, load_params
from components.run import RecordedRun
from flows import env_defaults
from tests.made_once import made_once
from tests.small_store import copy_store

if TYPE_CHECKING:
    from components.runtime.generation.generator import Generator
    from tests.small_ladder import Ladder

ROOT = Path(__file__).parent.parent

# Telemetry off, and this environment's commands first on PATH, for every process a test starts.
env_defaults.prepare()
# Libraries that are told no number of threads take one for each core, and those of several tests wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# The machine is of no interest to a test; those of the monitors turn them on.
os.environ.setdefault("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "false")

# A pipeline of a test has stages that take no time: to load libraries for them would. What runs real stages shares a
# server (tests/preloaded.py).
os.environ.setdefault(ADDRESS, "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files with the most slow tests first, then those with the most tests.

    Workers take a file at a time, in this order: the short ones at the end fill what the long ones leave.
    """
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (-slow[item.path], -tests[item.path]))


def pytest_collection_finish() -> None:
    """Collections of garbage while tests run do not walk through a million objects that stay: a tenth of an export."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def params() -> Params:
    """The parameters that ship."""
    return load_params(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty tracking database, made once to be copied: making one takes seconds."""

    def make(folder: Path) -> None:
        (folder / "mlflow").mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            tracking.connect()

    return made_once(tmp_path_factory, "store", make) / "mlflow"


@pytest.fixture
def here(mlflow_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with an empty tracking store of its own."""
    copy_store(mlflow_store, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture
def run() -> RecordedRun:
    return RecordedRun()


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small artifact `tokenizer`."""
    from tests.small_artifacts import small_tokenizer

    return small_tokenizer(tmp_path_factory.mktemp("small") / "tokenizer")


@pytest.fixture(scope="session")
def tokens_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A small artifact `tokens`."""
    from tests.small_artifacts import small_tokens

    return small_tokens(tmp_path_factory.mktemp("small") / "tokens", tokenizer_folder)


@pytest.fixture(scope="session")
def task_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small artifact `task` of three classes."""
    from tests.small_artifacts import small_task

    return small_task(tmp_path_factory.mktemp("small") / "places")


@pytest.fixture(scope="session")
def ladder(
    tmp_path_factory: pytest.TempPathFactory, params: Params, task_rows: Path, tokenizer_folder: Path
) -> Iterator[Ladder]:
    """Small artifacts from `teacher` to `bundle`, with an engine store of their own."""
    from tests.small_ladder import Ladder, small_ladder

    def make(root: Path) -> None:
        patch.setenv("LIANZI_CACHE", str(root / "cache"))
        small_ladder(root, params, task_rows, tokenizer_folder)

    with pytest.MonkeyPatch.context() as patch:
        root = made_once(tmp_path_factory, "ladder", make)
        patch.setenv("LIANZI_CACHE", str(root / "cache"))
        yield Ladder.within(root, task_rows)


@pytest.fixture(scope="session")
def decoder_bundle(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A GPT-2 of one layer that has learnt some words; its checkpoint lies beside it in gpt2/."""
    from tests.small_language_bundles import bundled

    return made_once(tmp_path_factory, "decoder", lambda folder: bundled(folder, "gpt2", tokenizer_folder)) / "bundle"


@pytest.fixture(scope="session")
def encoder_decoder_bundle(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A T5 of one layer with random weights; its checkpoint lies beside it in t5/."""
    from tests.small_language_bundles import bundled

    return (
        made_once(tmp_path_factory, "encoder_decoder", lambda folder: bundled(folder, "t5", tokenizer_folder))
        / "bundle"
    )


@pytest.fixture(scope="session")
def embedding_bundle(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A ModernBERT of one layer with random weights; its checkpoint lies beside it in modernbert/."""
    from tests.small_language_bundles import bundled

    return (
        made_once(tmp_path_factory, "embedding", lambda folder: bundled(folder, "modernbert", tokenizer_folder))
        / "bundle"
    )


@pytest.fixture(scope="session")
def generator(decoder_bundle: Path) -> Generator:
    from components.runtime.generation.generator import load_generator

    return load_generator(decoder_bundle, "fp32")


@pytest.fixture(scope="session")
def translator(encoder_decoder_bundle: Path) -> Generator:
    from components.runtime.generation.generator import load_generator

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
