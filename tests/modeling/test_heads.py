from __future__ import annotations

import pytest
from transformers import CONFIG_MAPPING

from components.errors import ParameterError
from components.modeling.heads import HEADS, auto_model
from components.modeling.kinds import ARCHITECTURES


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_classifies_and_tags(name: str) -> None:
    config = CONFIG_MAPPING[name.replace("_", "-")]()
    for head in ("sequence", "tokens"):
        assert type(config) in auto_model(head, config)._model_mapping


def test_what_reads_in_both_directions_cannot_generate() -> None:
    assert auto_model("causal_lm", CONFIG_MAPPING["gpt2"]()) is HEADS["causal_lm"]
    with pytest.raises(ParameterError, match="bert cannot generate; gpt2, llama, qwen2, qwen3 can"):
        auto_model("causal_lm", CONFIG_MAPPING["bert"]())
