"""XLM-RoBERTa: RoBERTa for a hundred languages (Conneau 2020)."""

from __future__ import annotations

from components.modeling.architectures.families import roberta_like

ARCHITECTURE = roberta_like()
