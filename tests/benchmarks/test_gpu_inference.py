"""benchmarks.gpu_inference, as far as it goes without a GPU."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.gpu_inference import check
from components.inference.nvidia import nvidia_host
from tests.benchmarks.gpu_scripts import run_script


@pytest.mark.skipif(nvidia_host().device is not None, reason="there is a GPU here")
def test_without_a_gpu_it_says_so_and_measures_nothing() -> None:
    done = run_script("benchmarks.gpu_inference")
    assert done.returncode == 1
    assert done.stderr.endswith("benchmarks.gpu_inference: no CUDA GPU here; nothing was measured\n")


@pytest.mark.slow
def test_what_needs_no_gpu_runs_dry() -> None:
    done = run_script("benchmarks.gpu_inference", "--cpu")
    assert done.returncode == 0, done.stderr
    assert "bert-base: onnxruntime and eager agree" in done.stdout
    assert "gpt2: onnxruntime and eager agree" in done.stdout


def test_a_contender_that_computes_something_else_is_named() -> None:
    ways = {"eager": lambda feeds: {"logits": np.zeros((1, 2))}, "wrong": lambda feeds: {"logits": np.ones((1, 2))}}
    with pytest.raises(AssertionError, match=r"wrong differs from eager by 1 on \(1, 1\)"):
        check(ways, {"input_ids": np.ones((1, 1))})
