"""Parameters of `analyze`: a section an analysis, by the name of its module."""

from __future__ import annotations

from components.sections import BootstrapConfig


class AnalyzeConfig(BootstrapConfig):
    """Of every analysis; intervals as those of `evaluate`."""
