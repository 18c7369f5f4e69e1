"""RoBERTa: BERT trained longer, on words of bytes (Liu 2019)."""

from __future__ import annotations

from components.modeling.architectures.families import roberta_like

ARCHITECTURE = roberta_like()
