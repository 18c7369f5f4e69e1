"""Vectors of a bundle beside sentence-transformers' own: `python -m benchmarks.sentence_embeddings MODEL`.

MODEL is a folder that sentence-transformers can load. Two hundred texts, from a few words to several times of what the
model reads, are embedded by the library itself (in an environment of its own), by the bundle made here, and by a server
with that bundle, asked at /v1/embeddings. The exit code is 1 where a cosine is below the goal.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np

from benchmarks.peers.environment import PEERS, call_script, peer_python
from benchmarks.report import RESULTS
from components.artifacts import write_json
from components.deployment.folder_bundle import BundleOptions, make_bundle
from components.deployment.sentence_embedding.parity import cosine
from components.machine import machine, versions
from components.params import load_params
from components.runtime.generation.embedder import load_embedder
from tests.serving.running import running

CORPUS = Path("data/corpus/wiki_leads_en.jsonl.gz")
TEXTS = 200
LONG = 20
"""Of them, several leads in one."""

LEADS = 8
GOAL = 0.9999
PROVEN = 16
"""Texts that the bundle is proven on as it is made."""

ASKED = 25
"""Texts of a request."""

PACKAGES = ("onnxruntime", "tokenizers", "torch", "transformers")


def main(arguments: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("model", type=Path, help="a folder that sentence-transformers can load")
    options.add_argument("--record", action="store_true", help="write benchmarks/results/sentence_embeddings.json")
    chosen = options.parse_args(arguments)
    texts = read_texts()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        own, library = own_vectors(chosen.model, texts, folder)
        options, limits = BundleOptions(("fp32",), measure=False), load_params(Path("params.yaml")).gate
        made = make_bundle(chosen.model, folder / "bundle", texts[-PROVEN:], options, limits, "model")
        embedder = load_embedder(folder / "bundle", "fp32")
        cut = sum(len(row) == embedder.max_length for row in embedder.encode(texts))
        found = {"bundle": embedder.embed(texts), "server": served_vectors(folder, texts)}
    cosines = {name: cosine(own, vectors) for name, vectors in found.items()}
    content = {
        "texts": len(texts),
        "cut_at_the_full_length": cut,
        "max_length": made["max_length"],
        "proof": made["proof"]["fp32"]["min_cosine"],
        "min_cosine": {name: round(float(one.min()), 7) for name, one in cosines.items()},
        "mean_cosine": {name: round(float(one.mean()), 7) for name, one in cosines.items()},
        "goal": GOAL,
        "sentence_transformers": library,
        "machine": machine(),
        "versions": versions(PACKAGES),
    }
    print(json.dumps({name: content[name] for name in content if name not in ("machine", "versions")}, indent=1))
    if chosen.record:
        write_json(RESULTS / "sentence_embeddings.json", content)
    return int(any(one.min() < GOAL for one in cosines.values()))


def read_texts() -> list[str]:
    """Leads, the first words of leads, and several leads in one."""
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        leads = [json.loads(next(lines))["text"] for _ in range(TEXTS + LEADS)]
    short = [" ".join(lead.split()[: 3 + number % 12]) for number, lead in enumerate(leads[: TEXTS // 2])]
    long = [" ".join(leads[number : number + LEADS]) for number in range(LONG)]
    return [*short, *long, *leads[LONG : TEXTS - len(short)]]


def own_vectors(model: Path, texts: Sequence[str], folder: Path) -> tuple[np.ndarray, str]:
    """The library's vectors, float32 (texts, width), and its version."""
    (folder / "texts.json").write_text(json.dumps(texts), encoding="utf-8")
    script, vectors = PEERS / "sentence_transformers_vectors.py", folder / "vectors.npy"
    python = peer_python("sentence_transformers", sharing=True)
    told = call_script(python, script, vectors, folder / "texts.json", model.resolve())
    return np.load(vectors)[0], told["version"]


def served_vectors(folder: Path, texts: Sequence[str]) -> np.ndarray:
    """The same from a server over HTTP."""
    found: list[list[float]] = []
    with running(folder, folder / "bundle") as server:
        for first in range(0, len(texts), ASKED):
            body = {"model": "model", "input": texts[first : first + ASKED]}
            answer = httpx.post(f"{server.address}/v1/embeddings", json=body, timeout=300)
            answer.raise_for_status()
            found += [one["embedding"] for one in answer.json()["data"]]
    return np.array(found, dtype=np.float32)


if __name__ == "__main__":
    raise SystemExit(main())
