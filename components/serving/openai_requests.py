"""Requests of OpenAI's clients under /v1: pydantic models that check a request and describe it in /openapi.json.

An unsupported parameter that would change the answer is refused, except for the value without effect, which some
clients send. https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from components.serving.request_error import RequestError


def _truth_value(value: Any) -> bool:
    """JSON's 0 is not false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


MOST_STOPS = 4
LONGEST_STOP = 1000
"""Characters; every generated token is searched for each of them."""
Text = Annotated[str, Field(min_length=1)]
Stop = Annotated[str, Field(min_length=1, max_length=LONGEST_STOP)]
Id = Annotated[int, Field(ge=0, lt=2**31)]
# Told is the first fault alone: a list of a million takes seconds of everyone's time.
ENOUGH = Field(min_length=1, fail_fast=True)
Ids = Annotated[list[Id], ENOUGH]
Texts = Text | Annotated[list[Text], ENOUGH] | Ids | Annotated[list[Ids], ENOUGH]
TEXTS = "a string, a list of strings, a list of token ids, or a list of such lists; none of them empty"
One = Annotated[int, Field(ge=1, le=1)]
Zero = Annotated[float, Field(ge=0, le=0)]
Count = Annotated[int, Field(ge=1, lt=2**31)]
Never = Annotated[Literal[False], BeforeValidator(_truth_value)]
# What clients send though they want nothing of it.
Unused = Literal[""] | Annotated[list[Any], Field(max_length=0)] | Annotated[dict[str, Any], Field(max_length=0)] | None
UNUSED: Any = Field(None, description="null or empty, no other value is supported")
Request = TypeVar("Request", bound="Asked")


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Asked(_Part):
    """The fields of all requests; the descriptions complete the sentence "'name' is …"."""

    model: str = Field(description="the name of a model that is served")
    user: str | None = Field(None, description="a string, which is ignored")
    metadata: Unused = UNUSED


class StreamOptions(_Part):
    """Options of a stream."""

    include_usage: bool | None = Field(None, description="whether a last event counts the tokens")


class Sampled(Asked):
    """The fields of both generation endpoints."""

    stream: bool | None = Field(None, description="true or false")
    stream_options: StreamOptions | None = Field(None, description='{"include_usage": true or false}')
    temperature: Annotated[float, Field(ge=0, le=2)] | None = Field(None, description="a number from 0 to 2")
    top_p: Annotated[float, Field(gt=0, le=1)] | None = Field(None, description="a number above 0, at most 1")
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = Field(None, description="a whole number of 64 bits")
    stop: Stop | Annotated[list[Stop], Field(max_length=MOST_STOPS, fail_fast=True)] | None = Field(
        None,
        description=f"a string, or at most {MOST_STOPS}; none of them empty or of more than {LONGEST_STOP} characters",
    )
    n: One | None = Field(None, description="1, the only number of choices that is supported")
    frequency_penalty: Zero | None = Field(None, description="0, no other value is supported")
    presence_penalty: Zero | None = Field(None, description="0, no other value is supported")
    logit_bias: Annotated[dict[str, Any], Field(max_length=0)] | None = Field(
        None, description="{}, no other value is supported"
    )

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())


class CompletionRequest(Sampled):
    """POST /v1/completions."""

    prompt: Texts = Field(description=TEXTS)
    max_tokens: Count | None = Field(None, description="a whole number above 0; 16 if not given")
    best_of: One | None = Field(None, description="1, no other value is supported")
    echo: Never | None = Field(None, description="false, no other value is supported")
    logprobs: None = Field(None, description="null, no other value is supported")
    suffix: None = Field(None, description="null, no other value is supported")


class TextPart(_Part):
    """Part of a message."""

    type: Literal["text"]
    text: str


class Message(_Part):
    """A message; the role developer counts as system.

    OpenAI's client sends an answer back as it received it, with every field that this server leaves null or empty.
    """

    role: Literal["system", "developer", "user", "assistant"] = Field(
        description="system, developer, user or assistant"
    )
    content: str | Annotated[list[TextPart], Field(fail_fast=True)] = Field(
        description="a string, or a list of parts of type text"
    )
    name: str | None = Field(None, description="a string, which is ignored")
    refusal: Unused = UNUSED
    annotations: Unused = UNUSED
    audio: Unused = UNUSED
    tool_calls: Unused = UNUSED
    function_call: Unused = UNUSED
    reasoning_content: Unused = UNUSED

    @property
    def plain(self) -> dict[str, str]:
        """The message for a chat template."""
        role = "system" if self.role == "developer" else self.role
        text = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": role, "content": text}


class PlainText(_Part):
    """The only supported format of an answer."""

    type: Literal["text"]


class ChatRequest(Sampled):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], ENOUGH] = Field(description="a list of at least one message")
    max_tokens: Count | None = Field(None, description="a whole number above 0; to the model's end if not given")
    max_completion_tokens: Count | None = Field(None, description="a whole number above 0; goes before max_tokens")
    logprobs: Never | None = Field(None, description="false, no other value is supported")
    response_format: PlainText | None = Field(None, description='{"type": "text"}, no other value is supported')
    store: Never | None = Field(None, description="false, no other value is supported")
    top_logprobs: Annotated[int, Field(ge=0, le=0)] | None = Field(None, description="0, no other value is supported")
    tools: Unused = UNUSED
    tool_choice: Literal["none", "auto"] | Unused = Field(
        None, description="none, auto, null or empty, as there are no tools"
    )
    parallel_tool_calls: bool | None = Field(None, description="true or false, which is ignored")
    functions: Unused = UNUSED
    function_call: Unused = UNUSED
    modalities: list[Literal["text"]] | None = Field(None, description='["text"], no other value is supported')
    audio: Unused = UNUSED
    prediction: Unused = UNUSED
    reasoning_effort: Unused = UNUSED
    service_tier: Literal["auto", "default"] | Unused = Field(None, description="auto, default, null or empty")
    web_search_options: Unused = UNUSED


class EmbeddingRequest(Asked):
    """POST /v1/embeddings."""

    input: Texts = Field(description=TEXTS)
    encoding_format: Literal["float", "base64"] | None = Field(None, description="float or base64")
    dimensions: Count | None = Field(None, description="the number of dimensions the model has")


def read_asked(kind: type[Request], body: bytes) -> Request:
    """Validate a body. Raises RequestError naming the first wrong parameter."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise _refusal(kind, error.errors(include_url=False, include_input=False)) from None


def rows_of(given: str | list[str] | list[int] | list[list[int]]) -> list[str | list[int]]:
    """The prompts or inputs as a list."""
    if isinstance(given, str):
        return [given]
    if isinstance(given[0], int):
        return [given]
    return list(given)


def _refusal(kind: type[Asked], errors: list[Any]) -> RequestError:
    first = errors[0]
    if first["type"] == "json_invalid":
        return RequestError(400, f"the body is not valid JSON: {first['ctx']['error']}")
    if not first["loc"]:
        return RequestError(400, "the body is not a JSON object")
    name = str(first["loc"][0])
    if name not in kind.model_fields:
        shown = "".join(letter if letter.isprintable() else "?" for letter in name[:60])
        return RequestError(400, f"'{shown}' is not supported", shown, "unknown_parameter")
    if first["type"] == "missing" and len(first["loc"]) == 1:
        return RequestError(
            400, f"'{name}' is missing: {kind.model_fields[name].description}", name, "missing_parameter"
        )
    inner = _inner(first["loc"]) if name == "messages" else ""
    return RequestError(400, f"'{name}' is {kind.model_fields[name].description}{inner}", name)


def _inner(place: tuple[str | int, ...]) -> str:
    """The number of the wrong message, and its wrong field."""
    found = [str(one) for one in place[1:3]]
    detail = Message.model_fields[found[1]].description if len(found) > 1 and found[1] in Message.model_fields else ""
    return (f"; number {found[0]}" + (f": '{found[1]}' is {detail}" if detail else " is none")) if found else ""
