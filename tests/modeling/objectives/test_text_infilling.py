from __future__ import annotations

from dataclasses import replace

from tests.modeling.objectives.small_denoising import FULL_STOP, IDS, INFILLING, generator


def test_a_mask_stands_for_each_span_and_sentences_stay_whole() -> None:
    text = IDS[0].clone()
    text[[9, 19]] = FULL_STOP
    parts = [text[:10].tolist(), text[10:20].tolist(), text[20:].tolist()]
    moved = INFILLING._permuted(text, generator(3)).tolist()
    places = [next(place for place in range(32) if moved[place : place + len(part)] == part) for part in parts]
    assert places != sorted(places)
    damaged = INFILLING._infilled(text, generator())
    kept = damaged[damaged != 3]
    assert len(kept) == 32 - round(0.3 * 32)
    assert [token for token in text.tolist() if token in set(kept.tolist())] == kept.tolist()


def test_spans_may_hold_no_token() -> None:
    spans = [span for seed in range(100) for span in INFILLING._spans(32, generator(seed))]
    assert min(spans) == 0
    assert 2.3 < sum(spans) / len(spans) < 3.1


def test_what_is_read_is_never_longer_than_the_text() -> None:
    """Short spans are many, and those of no token take nothing away; a model may have no positions for more."""
    short = replace(INFILLING, mean_span_length=1.0)
    assert all(short.damaged(IDS, generator(seed))[0].shape[1] <= IDS.shape[1] for seed in range(20))
