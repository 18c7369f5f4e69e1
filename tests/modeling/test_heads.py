from __future__ import annotations

import pytest
import torch
from transformers import CONFIG_MAPPING

from components.errors import ParameterError
from components.modeling.heads import HEADS, auto_model, decoder_input_ids
from components.modeling.kinds import ONE_STACK


@pytest.mark.parametrize("name", ONE_STACK)
def test_every_architecture_classifies_and_tags(name: str) -> None:
    config = CONFIG_MAPPING[name.replace("_", "-")]()
    for head in ("sequence", "tokens"):
        assert type(config) in auto_model(head, config)._model_mapping


def test_what_reads_in_both_directions_cannot_generate() -> None:
    assert auto_model("causal_lm", CONFIG_MAPPING["gpt2"]()) is HEADS["causal_lm"]
    with pytest.raises(ParameterError, match="bert cannot generate; gpt2, llama, qwen2, qwen3, glm can"):
        auto_model("causal_lm", CONFIG_MAPPING["bert"]())


def test_an_encoder_decoder_labels_no_texts_and_nothing_else_writes_them() -> None:
    assert auto_model("seq2seq_lm", CONFIG_MAPPING["t5"]()) is HEADS["seq2seq_lm"]
    with pytest.raises(ParameterError, match="gpt2 cannot write another text; t5, bart can"):
        auto_model("seq2seq_lm", CONFIG_MAPPING["gpt2"]())
    with pytest.raises(ParameterError, match="t5 cannot label texts; modernbert, bert, roberta"):
        auto_model("sequence", CONFIG_MAPPING["t5"]())


def test_a_decoder_reads_each_target_a_place_later() -> None:
    config = CONFIG_MAPPING["bart"](decoder_start_token_id=2, pad_token_id=0)
    targets = torch.tensor([[7, 8, 9, 2], [7, 2, -100, -100]])
    assert decoder_input_ids(config, targets).tolist() == [[2, 7, 8, 9], [2, 7, 2, 0]]
