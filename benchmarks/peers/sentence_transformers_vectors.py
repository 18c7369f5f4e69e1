"""sentence-transformers' own vectors: python sentence_transformers_vectors.py VECTORS.npy TEXTS.json FOLDER…

TEXTS.json is a list of texts. Writes an array (folders, texts, width), NaN where a folder's vectors are shorter, and
ends with the widths and its version.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}

import numpy as np
import sentence_transformers
import torch


def main(vectors: str, texts: str, *folders: str) -> None:
    torch.set_num_threads(1)
    read = json.loads(Path(texts).read_text(encoding="utf-8"))
    found = [_encoded(folder, read) for folder in folders]
    made = np.full((len(found), len(read), max(one.shape[1] for one in found)), np.nan, dtype=np.float32)
    for number, one in enumerate(found):
        made[number, :, : one.shape[1]] = one
    np.save(vectors, made)
    widths = [one.shape[1] for one in found]
    print(json.dumps({"widths": widths, "version": sentence_transformers.__version__}))


def _encoded(folder: str, texts: list[str]) -> np.ndarray:
    model = sentence_transformers.SentenceTransformer(folder, device="cpu", local_files_only=True)
    return np.stack([model.encode([text], show_progress_bar=False)[0] for text in texts])


if __name__ == "__main__":
    main(*sys.argv[1:])
