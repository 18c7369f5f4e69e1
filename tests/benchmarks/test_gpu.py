"""benchmarks.gpu, as far as it goes without a GPU."""

from __future__ import annotations

import pytest
import torch

from benchmarks.gpu import TINY, Size
from benchmarks.peak import gemm_flops_at
from components.inference.nvidia import nvidia_host
from tests.benchmarks.gpu_scripts import run_script


@pytest.mark.skipif(nvidia_host().device is not None, reason="there is a GPU here")
def test_without_a_gpu_it_says_so_and_measures_nothing() -> None:
    done = run_script("benchmarks.gpu")
    assert done.returncode == 1
    assert done.stderr == "benchmarks.gpu: no CUDA GPU here; nothing was measured\n"


@pytest.mark.slow
def test_both_loops_compute_the_same_in_a_tiny_dry_run() -> None:
    done = run_script("benchmarks.gpu", "--cpu")
    assert done.returncode == 0, done.stderr
    assert "both loops see the same losses over 8 steps" in done.stdout


def test_the_products_of_gpt2_are_those_of_its_124_million_weights() -> None:
    size = Size()
    weights = sum(inputs * outputs for _, inputs, outputs in size.products(1))
    assert weights == 12 * 12 * 768**2 + 768 * 50304
    assert {rows for rows, _, _ in size.products(2)} == {2 * 1024, 2 * 1023}


def test_the_pace_of_products_at_a_layers_own_shapes_is_that_of_a_processor() -> None:
    assert 1e6 < gemm_flops_at(TINY.products(1), torch.float32, "cpu", repeats=1) < 1e14
