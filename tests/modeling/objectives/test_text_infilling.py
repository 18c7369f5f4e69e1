from __future__ import annotations

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
