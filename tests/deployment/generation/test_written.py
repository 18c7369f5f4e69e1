"""A rung and PyTorch write the same, texts of every length side by side or alone."""

from __future__ import annotations

from pathlib import Path

from components.deployment.generation.written import generator_answers, sources_of, torch_answers
from components.runtime.generation.generator import load_generator
from components.tasks.translation import Translation

TASK = Translation.fit(["x"])
TEXTS = ["ship wave harbour sail", "tower", "street market crowd lamp " * 60]


def test_a_rung_writes_what_its_model_does_in_pytorch(encoder_decoder_bundle: Path) -> None:
    generator = load_generator(encoder_decoder_bundle, "fp32")
    sources = sources_of(generator, TEXTS)
    assert [ids[-1] for ids in sources] == [2, 2, 2]
    assert max(map(len, sources)) == generator.max_length
    expected = torch_answers(TASK, encoder_decoder_bundle.parent / "t5", generator.max_length)(TEXTS)
    assert TASK.same(generator_answers(TASK, generator, TEXTS), expected).all()
