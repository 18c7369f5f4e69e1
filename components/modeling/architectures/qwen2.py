"""Qwen2: LLaMA's layers with biases in its queries, keys and values (Yang 2024)."""

from __future__ import annotations

from components.modeling.architectures.families import llama_like

ARCHITECTURE = llama_like()
