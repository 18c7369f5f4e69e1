"""Conversations as prompts: the tokenizer's chat template, rendered as transformers does, in Jinja's sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from components.errors import DataError, first_line

MOST_CHARACTERS = 1 << 20
"""Of a rendered conversation."""
LONGEST_REASON = 300
ROLES = ("system", "user", "assistant", "tool", "developer")

PLAIN_STOPS = tuple(f"\n{role}:" for role in ROLES)
"""Where an answer without a template is over: the model goes on with somebody else's line."""


def check_messages(messages: Any) -> list[dict[str, Any]]:
    """The messages as {role, content} of text. Raises DataError naming the first that is none."""
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise DataError("messages: expected a list of at least one {role, content}")
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
            raise DataError(f"message {number}: expected role and content")
        if message["role"] not in ROLES:
            raise DataError(f"message {number}: unknown role {message['role']!r:.40}", f"known: {', '.join(ROLES)}")
        if not isinstance(message["content"], str):
            raise DataError(f"message {number}: content: expected text, found {type(message['content']).__name__}")
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def plain_prompt(messages: Sequence[Mapping[str, str]]) -> str:
    """A line a message and the beginning of the answer's, for models that have learnt no template."""
    return "".join(f"{message['role']}: {message['content']}\n" for message in messages) + "assistant:"


def render(template: str, messages: Sequence[Mapping[str, str]], tokens: Mapping[str, str], asks: bool = True) -> str:
    """The prompt of a conversation, with the beginning of the answer where it asks for one; tokens: bos_token and the
    like.

    A template comes from whoever made the model: it runs in a sandbox, which bounds what it reaches, not how long it
    runs; a server renders in components.serving.rendering. Raises DataError where it refuses the messages (its roles
    must alternate, say), fails, or writes what is no prompt.
    """
    prompt, reason = render_or_reason(template, messages, tokens, asks)
    if reason is not None:
        raise refused(reason)
    return prompt


def render_or_reason(
    template: str, messages: Sequence[Mapping[str, str]], tokens: Mapping[str, str], asks: bool = True
) -> tuple[str, str | None]:
    """The prompt and None, or nothing and the reason in a line."""
    try:
        prompt = str(_compiled(template).render(messages=messages, add_generation_prompt=asks, **tokens))
        prompt.encode()
    except UnicodeEncodeError:
        return "", "what it writes is not valid Unicode"
    except Exception as error:  # a template can raise whatever Python can: its division by zero, its recursion
        return "", "".join(letter if letter.isprintable() else "?" for letter in first_line(error)[:LONGEST_REASON])
    if len(prompt) > MOST_CHARACTERS:
        return "", f"it writes {len(prompt):,} characters, at most {MOST_CHARACTERS:,} are read"
    return prompt, None


def refused(reason: str) -> DataError:
    """What whoever sent the messages is told."""
    return DataError(f"the model's chat template refuses these messages: {reason}")


@cache
def _compiled(template: str) -> Any:
    return _environment().from_string(template)


def _environment() -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    made.filters["tojson"] = _to_json
    made.globals["raise_exception"] = _refuse
    return made


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
    """Jinja's own filter writes HTML's entities."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _refuse(message: str) -> None:
    from jinja2 import TemplateError

    raise TemplateError(message)
