"""A bundle behind LitServe: python serving_litserve.py BUNDLE PORT, asked at /predict with {"text": TEXT}.

One process for HTTP and one worker, joined by LitServe's queue for many requests a second (ZeroMQ).
"""

from __future__ import annotations

import sys
from typing import Any

import litserve

import lianzi

BATCH = 16


class BundleAPI(litserve.LitAPI):
    """The bundle's own tokenizer and graph: the servers differ, what they serve does not."""

    def __init__(self, bundle: str) -> None:
        super().__init__(max_batch_size=BATCH)
        self.bundle = bundle

    def setup(self, device: str) -> None:
        self.model = lianzi.load_bundle(self.bundle)

    def predict(self, batch: list[dict[str, str]]) -> list[dict[str, Any]]:
        return [answer.json() for answer in self.model.predict([request["text"] for request in batch])]


if __name__ == "__main__":
    server = litserve.LitServer(BundleAPI(sys.argv[1]), accelerator="cpu", workers_per_device=1, fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), log_level="error", generate_client_file=False)
