from __future__ import annotations

import pytest
import torch

from components.errors import ParameterError
from components.modeling.objectives.span_corruption import SpanCorruption, segments
from tests.modeling.objectives.small_denoising import IDS, SPANS, generator


def test_what_is_read_and_what_is_written_are_the_text_together() -> None:
    assert SPANS.sizes(32) == (5, 2)
    for read, _, written in zip(*SPANS.damaged(IDS, generator()), strict=True):
        assert (len(read), len(written)) == (32 - 5 + 2 + 1, 5 + 2 + 1)
        assert read[-1] == written[-1] == 2
        # Each sentinel of the text stands for what is written behind the same sentinel.
        spans, found = {}, []
        for token in written[:-1].tolist():
            if token >= 100:
                spans[token] = []
            else:
                spans[max(spans)].append(token)
        for token in read[:-1].tolist():
            found += spans.get(token, [token])
        assert found == IDS[0].tolist()
        assert list(spans) == [100, 101]


def test_every_division_is_as_likely() -> None:
    found = segments(6000, 4, 2, generator())
    assert (found.sum(dim=1) == 4).all()
    shares = torch.bincount(found[:, 0])[1:] / 6000
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.02, rtol=0)


def test_more_spans_than_sentinels_are_refused() -> None:
    with pytest.raises(ParameterError, match="154 spans in 1024 tokens"):
        SpanCorruption(0.15, 1, 2, 100, 1).sizes(1024)
