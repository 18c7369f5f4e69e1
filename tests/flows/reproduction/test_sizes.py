"""flows.reproduction.sizes: how far two contents are apart, in a phrase."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import torch
import zstandard
from safetensors.torch import save

from flows.reproduction.sizes import UNKNOWN, size_of_difference


@pytest.mark.parametrize(
    ("name", "before", "now", "told"),
    [
        ("a.csv", b"step,loss\n1,5.0\n2,4.5\n", b"step,loss\n1,5.0\n2,4.6\n", "step 2: loss 4.5 recorded, 4.6 now"),
        ("a.csv", b"step,loss\n1,5.0\n", b"step,loss\n1,5.0\n2,4.6\n", "1 rows recorded, 2 now"),
        ("a.csv", b"step,loss\n1,5.0\n", b"step,loss,rate\n1,5.0,0.1\n", "step 1: rate None recorded, 0.1 now"),
        ("a.csv", b"text,label\nhi,a\n", b"text,label\nhi,a\nho,b\n", "1 lines added, 0 removed, the first at line 3"),
        ("a.json", b'{"a": {"b": [1, 2]}}', b'{"a": {"b": [1, 3]}}', "a.b[1] 2 recorded, 3 now"),
        ("a.json", b'{"a": 1}', b'{"a":1}', "other bytes, the same values"),
        ("a.jsonl", b"one\ntwo\n", b"one\ntwo\nthree\n", "1 lines added, 0 removed, the first at line 3"),
        ("a.jsonl", b"one\ntwo\n", b"one\n2\n", "1 lines added, 1 removed, the first at line 2"),
        ("a.onnx", b"\x00\x01", b"\x00\x02", "byte 1 is the first that differs"),
        ("a.onnx", b"\x00\x01", b"\x00", "2 bytes recorded, 1 now"),
        ("a.json", b"{", b"{}", "1 bytes recorded, 2 now"),
        ("a.json", None, b"{}", UNKNOWN),
    ],
)
def test_a_difference_is_told_in_the_terms_of_its_file(name: str, before: bytes | None, now: bytes, told: str) -> None:
    assert size_of_difference(Path(name), before, now) == told


def test_a_compressed_file_is_compared_by_its_lines() -> None:
    for suffix, packed in ((".gz", gzip.compress), (".zst", zstandard.compress)):
        told = size_of_difference(Path(f"a.jsonl{suffix}"), packed(b"one\n"), packed(b"two\n"))
        assert told == "1 lines added, 1 removed, the first at line 1"
    same = gzip.compress(b"one\n", 1, mtime=1), gzip.compress(b"one\n", 9, mtime=2)
    assert size_of_difference(Path("a.conll.gz"), *same) == "other bytes, the same content"


def test_long_texts_are_compared_by_the_lines_that_only_one_of_them_has() -> None:
    before = "\n".join(map(str, range(15_000)))
    now = "\n".join(map(str, range(14_990)))
    told = size_of_difference(Path("a.txt"), before.encode(), now.encode())
    assert told == "0 lines added, 10 removed, the first at line 14991"


def test_of_weights_the_largest_difference_is_told() -> None:
    before, now = ({"kept": torch.zeros(2), "moved": torch.tensor([1.0, last])} for last in (2.0, 2.25))
    told = size_of_difference(Path("model.safetensors"), save(before), save(now))
    assert told == "1 of 2 tensors differ, by at most 0.25 (moved)"
