from __future__ import annotations

import logging

import pytest

from components.deployment.torch_onnx import quiet, tools


def test_versions_are_told_without_the_build_of_pytorch() -> None:
    assert set(tools()) == {"onnx", "onnxscript", "torch", "transformers"}
    assert "+" not in tools()["torch"]


def test_a_library_is_quiet_for_a_while(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("some.library")
    with quiet("some.library"):
        logger.warning("of no use")
    logger.warning("of use")
    assert [record.message for record in caplog.records] == ["of use"]
