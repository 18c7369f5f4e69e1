"""Qwen3: LLaMA's layers with normalised queries and keys (Yang 2025)."""

from __future__ import annotations

from components.modeling.architectures.families import llama_like

ARCHITECTURE = llama_like()
