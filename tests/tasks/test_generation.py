from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from components.deployment.generation.scores import RowEncoder, turns_of
from components.errors import DataError, ParameterError
from components.modeling.architectures import architecture
from components.modeling.checkpoints import load_tokenizer
from components.modeling.kinds import ARCHITECTURES, GENERATIVE
from components.params import check_params, read_yaml
from components.runtime.generation import chat
from components.tasks.generation import (
    PART,
    ROLES,
    Generation,
    Part,
    messages_of,
    padded_scores,
    parts_of,
    plain_turns,
    preference_text,
    rejected_text,
    text_of,
    token_scores,
)
from components.tasks.metrics import Perplexity, score
from components.tasks.task import NO_TARGET
from components.tokenization.special_tokens import CHAT_TEMPLATES, SPECIAL_TOKENS

TASK = Generation.fit(["a"])


@given(st.integers(0, 2**16), st.integers(1, 9), st.integers(2, 7))
def test_scores_are_the_cross_entropy_of_pytorch(seed: int, length: int, vocabulary: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(length, vocabulary, generator=generator) * 4
    targets = torch.randint(vocabulary, (length,), generator=generator)
    targets[torch.rand(length, generator=generator) < 0.3] = NO_TARGET
    found = token_scores(logits.numpy(), targets.numpy())
    expected = TASK.loss(logits[None], targets[None]).item()
    assert np.nansum(found[:, 0]) == pytest.approx(expected, rel=1e-4, abs=1e-4)
    assert (np.isnan(found[:, 1]) == (targets.numpy() == NO_TARGET)).all()


def test_perplexity_counts_tokens_and_not_rows() -> None:
    answers = padded_scores([np.full((1, 2), 2.0, np.float32), np.full((3, 2), 1.0, np.float32)])
    assert score(Perplexity(), np.zeros(2), answers) == pytest.approx(np.exp(5 / 4))


def test_of_perplexities_a_gain_is_a_share() -> None:
    assert Perplexity().improvement(21.0, 20.0) == pytest.approx(Perplexity().improvement(210.0, 200.0))
    assert Perplexity().improvement(105.0, 100.0) == pytest.approx(0.0488, abs=1e-4)


def test_logits_that_are_no_numbers_are_infinitely_wrong() -> None:
    found = token_scores(np.full((1, 4), np.nan, np.float32), [2])
    assert found[0, 0] == np.inf
    assert score(Perplexity(), np.zeros(1), found[None]) == pytest.approx(np.exp(700.0))


def test_a_text_ends_with_its_end_token_where_there_is_room(tokenizer_folder: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    rows = [{"text": "ship wave harbour sail"}, {"text": "ship"}]
    long, short = TASK.encode(rows, tokenizer, 3)
    assert len(long.features["input_ids"]) == 3
    assert short.features["input_ids"][-1] == tokenizer.sep_token_id
    learned = TASK.learned(rows, [long, short])
    assert learned[0].tolist() == [*long.features["input_ids"][1:], NO_TARGET]


def test_no_table_of_answers_is_made() -> None:
    answers = padded_scores([np.full((2, 2), 1.0, np.float32)])
    assert [TASK.values(none) for none in TASK.pairs(np.zeros(1), answers)] == [[], []]


def test_agreement_is_the_share_of_tokens() -> None:
    one = padded_scores([np.array([[1.0, 5], [1.0, 6]], np.float32), np.array([[1.0, 7]], np.float32)])
    other = one.copy()
    other[0, 1, 1] = 9
    assert TASK.agreement(one, other) == pytest.approx(2 / 3)
    assert TASK.same(one, other).tolist() == [False, True]


def test_those_that_generate_are_named_once() -> None:
    able = [name for name in ARCHITECTURES if architecture(name).language_model == "causal_lm"]
    assert tuple(able) == GENERATIVE


def test_an_architecture_that_cannot_generate_is_refused_before_any_work() -> None:
    content = read_yaml(Path("params.yaml"))
    content["tasks"]["story"] = {"kind": "generation", "language": "en", "max_length": 64}
    told = r"tasks\.story\.kind: modernbert cannot generate; gpt2, llama, qwen2, qwen3, glm can"
    with pytest.raises(ParameterError, match=told):
        check_params(content, "params.yaml")


TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "ship"},
    {"role": "assistant", "content": "wave sail"},
    {"role": "user", "content": "city"},
    {"role": "assistant", "content": "tower"},
]
CHATML = turns_of(CHAT_TEMPLATES["chatml"][1], SPECIAL_TOKENS)


def test_a_conversation_is_one_text_and_comes_back() -> None:
    assert messages_of(text_of(TALK)) == TALK
    assert {*ROLES.values()} == {*chat.ROLES}


def test_of_a_conversation_the_answers_are_learned_up_to_the_end_of_their_turn() -> None:
    parts = parts_of(text_of(TALK), CHATML)
    assert [part.text for part in parts if part.learned] == ["wave sail<|im_end|>", "tower<|im_end|>"]
    assert "".join(part.text for part in parts) == CHATML(TALK, False).rstrip()
    assert parts[0].text == CHATML(TALK[:2], True)


def test_without_a_template_it_is_asked_as_a_server_asks() -> None:
    parts = parts_of(text_of(TALK), plain_turns)
    assert [part.text for part in parts if part.learned] == [" wave sail", " tower"]
    assert parts[0].text == chat.plain_prompt(TALK[:2])


def test_a_prompt_is_not_learned_and_a_text_is_learned_whole() -> None:
    assert parts_of(f"ship{PART} wave", plain_turns) == [Part("ship", False), Part(" wave", True)]
    assert parts_of("ship wave", plain_turns) == [Part("ship wave", True)]


def test_of_a_pair_the_chosen_answer_is_read_and_the_rejected_one_stands_apart() -> None:
    pair = preference_text(f"ship{PART} wave", " tower")
    assert parts_of(pair, plain_turns) == parts_of(f"ship{PART} wave", plain_turns)
    assert (rejected_text(pair), rejected_text(f"ship{PART} wave")) == (f"ship{PART} tower", "")
    talk = preference_text(text_of(TALK), "market")
    assert parts_of(talk, CHATML) == parts_of(text_of(TALK), CHATML)
    assert messages_of(rejected_text(talk)) == [*TALK[:-1], {"role": "assistant", "content": "market"}]


def test_a_template_that_writes_answers_otherwise_is_refused() -> None:
    with pytest.raises(DataError, match="writes an answer otherwise than it asks for one"):
        parts_of(text_of(TALK), lambda messages, asks: f"{len(messages)}")


@pytest.mark.parametrize("template", [None, "chatml"])
def test_training_and_deployment_cut_answers_into_the_same_tokens(tokenizer_folder: Path, template: str | None) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    written = CHAT_TEMPLATES[template][1] if template else None
    tokenizer.chat_template = written
    rows = [{"text": text_of(TALK)}, {"text": f"ship{PART} wave sail"}, {"text": "ship wave"}]
    examples = TASK.encode(rows, tokenizer, 64)
    encode = RowEncoder(tokenizer.backend_tokenizer, 64, int(tokenizer.sep_token_id), turns_of(written, {}))
    found = encode([row["text"] for row in rows])
    assert [example.features["input_ids"] for example in examples] == [row.ids for row in found]
    learned = TASK.learned(rows, examples)
    assert [one.tolist() for one in learned] == [row.targets.tolist() for row in found]
    assert (learned[1] != NO_TARGET).sum() == len(tokenizer(" wave sail", add_special_tokens=False)["input_ids"]) + 1


def test_rows_whose_answers_are_all_cut_away_are_refused(tokenizer_folder: Path) -> None:
    with pytest.raises(DataError, match="no row has an answer among its first 3 tokens"):
        TASK.encode([{"text": f"ship wave sail whale{PART} harbour"}], load_tokenizer(tokenizer_folder), 3)


@pytest.mark.parametrize(
    ("roles", "told"),
    [
        (["assistant"], "an answer to nothing"),
        (["user", "user", "assistant"], "user, then user: roles must alternate"),
    ],
)
def test_a_conversation_that_the_template_refuses_is_named(roles: list[str], told: str, tokenizer_folder: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_folder)
    tokenizer.chat_template = (
        "{% for one in messages %}{% if (one.role == 'user') != (loop.index0 % 2 == 0) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}{{ one.content }}{% endfor %}"
    )
    text = text_of([{"role": role, "content": "ship"} for role in roles])
    with pytest.raises(DataError, match=f"train/7: the chat template refuses {told}"):
        Generation(("token",)).encode([{"id": "train/7", "text": text}], tokenizer, 16)
