"""Masked language modelling (Devlin 2019)."""

from __future__ import annotations

from components.modeling.objectives.masking import masked as build

LANGUAGE_MODEL = "masked_lm"

__all__ = ["LANGUAGE_MODEL", "build"]
