"""OpenAI's own Python client against a server: python openai_client.py ADDRESS GENERATOR EMBEDDER

Asks for everything the server has for it, and ends with what it found.
"""

from __future__ import annotations

import json
import sys

from openai import BadRequestError, NotFoundError, OpenAI

MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "ship 門"}]
SETTINGS = {"max_tokens": 6, "temperature": 0.7, "seed": 3}


def main(address: str, generator: str, embedder: str) -> None:
    client = OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0)
    whole = client.chat.completions.create(model=generator, messages=MESSAGES, **SETTINGS)
    completion = client.completions.create(model=generator, prompt=["ship", "門"], **SETTINGS)
    found = {
        "models": [one.id for one in client.models.list()],
        "model": client.models.retrieve(generator).id,
        "chat": whole.choices[0].message.content,
        "finish": whole.choices[0].finish_reason,
        "usage": whole.usage.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}),
        "streamed": streamed(client, generator),
        "second_turn": second_turn(client, generator, whole.choices[0].message),
        "completions": [one.text for one in completion.choices],
        "completions_streamed": completions_streamed(client, generator),
        "embeddings": embeddings(client, embedder),
        "refused": refused(client, generator),
    }
    print(json.dumps(found))


def streamed(client: OpenAI, model: str) -> dict[str, object]:
    options = {"include_usage": True}
    chunks = list(
        client.chat.completions.create(model=model, messages=MESSAGES, stream=True, stream_options=options, **SETTINGS)
    )
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    return {
        "role": choices[0].delta.role,
        "text": "".join(choice.delta.content or "" for choice in choices),
        "finish": choices[-1].finish_reason,
        "tokens": chunks[-1].usage.completion_tokens,
    }


def second_turn(client: OpenAI, model: str, answer: object) -> list[str]:
    """The answer goes back as the client gave it, and as the dictionary of all its fields, null ones too."""
    told = []
    for before in (answer, answer.model_dump()):
        messages = [before, {"role": "user", "content": "wave"}]
        found = client.chat.completions.create(model=model, messages=messages, tools=None, metadata={}, **SETTINGS)
        told.append(found.choices[0].message.content)
    return told


def completions_streamed(client: OpenAI, model: str) -> list[str]:
    texts = ["", ""]
    for chunk in client.completions.create(model=model, prompt=["ship", "門"], stream=True, **SETTINGS):
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    return texts


def embeddings(client: OpenAI, model: str) -> dict[str, object]:
    """The client asks for base64 unless it is told otherwise."""
    packed = client.embeddings.create(model=model, input=["a", "門"])
    plain = client.embeddings.create(model=model, input=["a", "門"], encoding_format="float")
    return {
        "packed": [one.embedding for one in packed.data],
        "plain": [one.embedding for one in plain.data],
        "tokens": packed.usage.prompt_tokens,
    }


def refused(client: OpenAI, model: str) -> list[str]:
    told = []
    for changes in ({"n": 2}, {"model": "nobody"}):
        try:
            client.chat.completions.create(**({"model": model, "messages": MESSAGES} | changes))
        except (BadRequestError, NotFoundError) as error:
            told.append(f"{error.status_code} {error.param} {error.code}: {error.body['message']}")
    return told


if __name__ == "__main__":
    main(*sys.argv[1:])
