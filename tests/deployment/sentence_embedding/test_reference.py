from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.environment import KEPT, PEERS, call_script, peer_python
from components.deployment.sentence_embedding.parity import cosine
from components.deployment.sentence_embedding.reference import SentenceReference
from components.deployment.source import load_weights, read_source
from tests.models_from_elsewhere import sentence_folder
from tests.small_language_bundles import TEXTS

ACTIVATION = "torch.nn.modules.activation"
FOLDERS = {
    "mean": {},
    "max and cut": {"pooling": ("max",), "max_seq_length": 16},
    "all kinds": {
        "pooling": ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"),
        "normalize": False,
    },
    "dense": {"dense": f"{ACTIVATION}.Tanh", "norm": True, "do_lower_case": True},
    "gelu": {"dense": f"{ACTIVATION}.GELU", "normalize": False},
    "silu": {"dense": f"{ACTIVATION}.SiLU", "pooling": ("lasttoken",)},
    "prompted": {"prompts": {"query": "ship: ", "other": ""}, "default_prompt_name": "query", "pooling": ("cls",)},
    "roberta": {"family": "roberta", "max_seq_length": 48},
    "mpnet": {"family": "mpnet", "pooling": ("weightedmean",), "max_seq_length": 48},
    "t5": {"family": "t5-encoder", "dense": "torch.nn.modules.linear.Identity", "max_seq_length": 24},
    "qwen3": {"family": "qwen3-embedding", "pooling": ("lasttoken",), "max_seq_length": 32},
}
READ = [*TEXTS[:8], "SHIP Wave Ünder", "海 船", " ".join(TEXTS), "a"]


def own(folder: Path) -> np.ndarray:
    source = read_source(folder)
    reference = SentenceReference(source, load_weights(source, lambda line: None))
    return reference.vectors(reference.encode(READ, source.length))


@pytest.mark.slow
@pytest.mark.skipif(
    not (KEPT / "sentence_transformers" / ".pins").is_file(),
    reason="no environment with sentence-transformers: `make peers` makes it",
)
def test_vectors_are_sentence_transformers_own(tmp_path: Path, tokenizer_folder: Path) -> None:
    folders = [
        sentence_folder(tmp_path / str(number), tokenizer_folder, **settings)  # type: ignore[arg-type]
        for number, settings in enumerate(FOLDERS.values())
    ]
    (tmp_path / "texts.json").write_text(json.dumps(READ))
    script, vectors = PEERS / "sentence_transformers_vectors.py", tmp_path / "vectors.npy"
    python = peer_python("sentence_transformers", sharing=True)
    told = call_script(python, script, vectors, tmp_path / "texts.json", *folders)
    for name, folder, width, expected in zip(FOLDERS, folders, told["widths"], np.load(vectors), strict=True):
        found = own(folder)
        assert found.shape[1] == width, name
        assert np.abs(found - expected[:, :width]).max() < 1e-5 * max(1, np.abs(found).max()), name
        assert cosine(expected[:, :width], found).min() > 0.999999, name
