from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.errors import DataError
from components.runtime.generation.chat import check_messages, plain_prompt, render
from components.tokenization.special_tokens import CHAT_TEMPLATES

MESSAGES = [{"role": "system", "content": "Be <brief>."}, {"role": "user", "content": "你好 & hello"}]
LLAMA = (
    "{{ bos_token }}{%- for message in messages %}\n"
    "    {%- if message.role == 'tool' %}{{ raise_exception('no tools') }}{% endif %}\n"
    "    {{- '[' + message['role'] | upper + '] ' + message.content | trim + '\\n' }}\n"
    "    {%- if loop.last %}{% break %}{% endif %}\n"
    "{%- endfor %}\n"
    "{% set ns = namespace(count=messages | length) %}{{ ns.count }} {{ messages[-1] | tojson }}"
    "{% if add_generation_prompt %}[ASSISTANT]{% endif %}"
)


@pytest.mark.parametrize("template", [CHAT_TEMPLATES["chatml"][1], LLAMA])
def test_a_conversation_reads_as_transformers_renders_it(template: str, tokenizer_folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(tokenizer_folder)
    expected = tokenizer.apply_chat_template(
        MESSAGES, chat_template=template, tokenize=False, add_generation_prompt=True
    )
    assert render(template, MESSAGES, {"bos_token": "[CLS]"}) == expected


def test_a_model_without_a_template_gets_a_line_a_message() -> None:
    assert plain_prompt(MESSAGES) == "system: Be <brief>.\nuser: 你好 & hello\nassistant:"


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% for message in messages %}{{ raise_exception('roles must alternate') }}{% endfor %}",
        "{{ messages[0].content / 2 }}",
        "{% if %}",
        "{{ 1 / 0 }}",
        "{{ messages[5].content }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{% for number in range(1000000) %}{% endfor %}",
        "{{ raise_exception('\ud800\nmore') }}",
        "{{ '\ud800' }}",
        "{{ 'a' * 2000000 }}",
    ],
)
def test_a_template_that_reaches_out_or_fails_is_an_error_of_the_request(template: str) -> None:
    with pytest.raises(DataError, match="chat template refuses") as caught:
        render(template, MESSAGES, {})
    str(caught.value).encode()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([], "at least one"),
        ("hello", "expected a list"),
        ([{"role": "user"}], "message 0: expected role and content"),
        ([{"role": "user", "content": "a"}, {"role": "robot", "content": "a"}], "message 1: unknown role 'robot'"),
        ([{"role": "user", "content": [1]}], "content: expected text, found list"),
    ],
)
def test_messages_that_are_none_are_named(messages: Any, told: str) -> None:
    with pytest.raises(DataError, match=told):
        check_messages(messages)
