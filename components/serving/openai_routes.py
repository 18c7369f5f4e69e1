"""The routes under /v1, in OpenAI's form: completions, chat, embeddings, models."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from starlette.types import Receive, Scope, Send

from components.serving.batching import stacked
from components.serving.continuous_batching import Delta, GenerationRequest, Job
from components.serving.embedding import VECTOR, Embedding
from components.serving.generation import Generation
from components.serving.middleware import LAST_WORDS, STOPPED, RequestContext
from components.serving.openai_answers import (
    DONE,
    ChatCompletion,
    ChatCompletionChunk,
    ChatForm,
    Completion,
    CompletionForm,
    Embeddings,
    ModelCard,
    ModelList,
    OpenAIError,
    Usage,
    embeddings,
    event,
    model_card,
    usage,
)
from components.serving.openai_requests import (
    ChatRequest,
    CompletionRequest,
    EmbeddingRequest,
    Sampled,
    read_asked,
    rows_of,
)
from components.serving.openapi import MODEL, WORK, body, errors, router, stream_of
from components.serving.request_error import RequestError, error_content
from components.serving.service import Service, encoded, json_response, while_there

if TYPE_CHECKING:
    from components.serving.model_repository import LoadedModel

BODY_TYPES = ("application/json",)
FEW_TOKENS = 16
"""The default max_tokens of /v1/completions, as OpenAI has it."""
SEEDS = 2**63


def openai_routes(service: Service, locked: bool) -> APIRouter:
    """The routes under /v1; `locked`: the server asks for a key."""
    routes = router("openai", OpenAIError, locked)
    fails = errors(OpenAIError, *WORK)

    prompt = body(CompletionRequest, short={"prompt": "床前明月光", "max_tokens": 8})
    messages = body(ChatRequest, short={"messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 8})
    texts = body(EmbeddingRequest, short={"input": ["the moon", "明月"]})

    @routes.post(
        "/v1/completions", response_model=Completion, dependencies=[prompt], responses=fails | stream_of(Completion)
    )
    async def completions(request: Request) -> Response:
        """Complete a prompt."""
        return await _generate(service, request, CompletionRequest)

    @routes.post(
        "/v1/chat/completions",
        response_model=ChatCompletion,
        dependencies=[messages],
        responses=fails | stream_of(ChatCompletionChunk),
    )
    async def chat(request: Request) -> Response:
        """Answer a conversation."""
        return await _generate(service, request, ChatRequest)

    @routes.post("/v1/embeddings", name="embeddings", response_model=Embeddings, dependencies=[texts], responses=fails)
    async def embed(request: Request) -> Response:
        """Turn texts into vectors."""
        return await _embed(service, request)

    @routes.get("/v1/models", response_model=ModelList)
    async def models(request: Request) -> Response:
        """The models that generate text or embed."""
        served = [one for one in service.repository.models.values() if isinstance(one.model, Generation | Embedding)]
        return json_response(ModelList(object="list", data=[model_card(one.name, one.loaded) for one in served]))

    @routes.get(
        "/v1/models/{name}",
        name="models",
        operation_id="openai_model",
        response_model=ModelCard,
        dependencies=MODEL,
        responses=errors(OpenAIError, 404),
    )
    async def model(request: Request) -> Response:
        """One model that generates text or embeds."""
        served = _served(service, request.scope["context"], request.path_params["name"])
        return json_response(model_card(served.name, served.loaded))

    return routes


def _served(service: Service, context: RequestContext, name: str) -> LoadedModel:
    try:
        served = service.repository.find(name)
    except RequestError as error:
        raise RequestError(404, error.reason, "model", "model_not_found") from None
    context.served = served
    return served


async def _embed(service: Service, request: Request) -> Response:
    context = request.scope["context"]
    deadline = service.admit()
    asked = read_asked(EmbeddingRequest, await service.body(request, deadline, BODY_TYPES))
    with service.repository.hold(_served(service, context, asked.model)) as served:
        model, batcher = served.batched(Embedding)
        given = rows_of(asked.input)
        _check_sizes(service, given, "input")
        if asked.dimensions not in (None, model.width):
            raise RequestError(400, f"'dimensions' is {model.width} with this model", "dimensions")
        try:
            async with asyncio.timeout_at(deadline):
                rows = await encoded(service.workers, model.embedder.encoder, sum(map(len, given)), model.rows, given)
                context.rows = len(rows)
                vectors = stacked(await batcher.submit(rows), VECTOR)
        except TimeoutError:
            raise service.too_late() from None
        tokens = sum(map(len, rows))
        service.metrics.prompted.labels(served.name).inc(tokens)
        return json_response(embeddings(served.name, vectors, asked.encoding_format == "base64", tokens))


@dataclass
class _Generating:
    """A running generation request."""

    service: Service
    context: RequestContext
    asked: Sampled
    served: LoadedModel
    form: CompletionForm
    job: Job
    prompted: int
    """The number of tokens of all prompts."""
    texts: list[str]
    reasons: list[str]
    """The generated text and the finish reason of each row."""

    def take(self, delta: Delta) -> None:
        self.texts[delta.index] += delta.text
        self.reasons[delta.index] = delta.finished or ""

    @property
    def usage(self) -> Usage:
        return usage(self.prompted, self.job.tokens)

    async def first(self) -> tuple[AsyncIterator[Delta], Delta]:
        """The first delta, after the iterator over the others."""
        deltas = aiter(self.job)
        delta = await anext(deltas)
        seconds = time.perf_counter() - self.context.started
        self.service.metrics.first_token.labels(self.served.name, self.served.version).observe(seconds)
        return deltas, delta

    async def whole(self) -> Response:
        deltas, delta = await self.first()
        self.take(delta)
        async for delta in deltas:
            self.take(delta)
        return json_response(self.form.whole(self.texts, self.reasons, self.usage))

    async def events(self, deltas: AsyncIterator[Delta], delta: Delta) -> AsyncIterator[bytes]:
        """The stream of events; an error ends it as its last event."""
        for content in self.form.first(len(self.texts)):
            yield event(content)
        try:
            yield self._event(delta)
            while self.job.missing:
                async with asyncio.timeout(self.service.limits.timeout):
                    delta = await anext(deltas)
                if delta.text or delta.finished:
                    yield self._event(delta)
        except Exception as error:
            late = isinstance(error, TimeoutError)
            status = 503 if late else 500
            self._failed(status)
            reason = self.service.too_late().reason if late else f"internal error ({type(error).__name__})"
            yield event(error_content("/v1/", status, f"{reason}; request {self.context.id}"))
            return
        options = self.asked.stream_options
        if options and options.include_usage:
            yield event(self.form.counts(self.usage))
        yield DONE

    def _failed(self, status: int) -> None:
        """The middleware logs other failures by their status; that of a stream was 200."""
        if self.service.log and self.context.logged and not self.service.admission.draining:
            self.service.log.put_failure(self.context, status)

    def _event(self, delta: Delta) -> bytes:
        self.take(delta)
        return event(self.form.part(delta.index, delta.text, delta.finished))

    def end(self) -> None:
        """End the request, finished or cancelled."""
        self.job.cancel()
        self.context.tokens = self.job.tokens
        if self.service.log and all(self.reasons) and self.service.log.wants(self.context.id):
            self.service.log.put_generated(self.context, _prompts(self.asked), self.texts)


async def _generate(service: Service, request: Request, kind: type[CompletionRequest] | type[ChatRequest]) -> Response:
    context = request.scope["context"]
    deadline = service.admit()
    asked = read_asked(kind, await service.body(request, deadline, BODY_TYPES))
    with ExitStack() as held:
        served = held.enter_context(service.repository.hold(_served(service, context, asked.model)))
        served.continuous()
        _check_asked(service, asked)
        chosen = _chosen(service, served, asked)
        context.canary = chosen is not served
        context.logged = any(isinstance(prompt, str) for prompt in _prompts(asked))
        served = context.served = held.enter_context(service.repository.hold(chosen))
        model, continuous_batcher = served.continuous()
        try:
            async with asyncio.timeout_at(deadline):
                requests = await _requests(service, model, asked)
                generating = _submit(service, context, served, asked, continuous_batcher.submit(requests), requests)
                held.callback(generating.end)
                if not asked.stream:
                    return await while_there(request.receive, generating.whole())
                deltas, delta = await while_there(request.receive, generating.first())
        except TimeoutError:
            raise service.too_late() from None
        return EventStream(generating.events(deltas, delta), held.pop_all(), service.limits.timeout, context)


def _chosen(service: Service, served: LoadedModel, asked: Sampled) -> LoadedModel:
    """The canary for its share of texts; token ids mean something to one model alone."""
    prompts = [prompt for prompt in _prompts(asked) if isinstance(prompt, str)]
    return service.repository.choose(served, prompts) if prompts == _prompts(asked) else served


def _submit(
    service: Service,
    context: RequestContext,
    served: LoadedModel,
    asked: Sampled,
    job: Job,
    requests: list[GenerationRequest],
) -> _Generating:
    context.rows = len(requests)
    prompted = sum(len(one.ids) for one in requests)
    service.metrics.prompted.labels(served.name).inc(prompted)
    form = ChatForm if isinstance(asked, ChatRequest) else CompletionForm
    written = form(context.id, served.name, served.digest[:12])
    texts = [""] * len(requests)
    return _Generating(service, context, asked, served, written, job, prompted, texts, list(texts))


async def _requests(service: Service, model: Generation, asked: Sampled) -> list[GenerationRequest]:
    """The rows of a request."""
    if isinstance(asked, ChatRequest):
        rows = [await model.conversation([message.plain for message in asked.messages], service.workers)]
        most, stops = asked.max_completion_tokens or asked.max_tokens, asked.stops + model.generator.chat_stops
    else:
        assert isinstance(asked, CompletionRequest)
        rows = await service.workers.run(model.prompts, rows_of(asked.prompt))
        most, stops = asked.max_tokens or FEW_TOKENS, asked.stops
    seed = random.getrandbits(63) if asked.seed is None else asked.seed
    return [model.generation_request(ids, most, asked.temperature, asked.top_p, (seed + index) % SEEDS, stops)
            for index, ids in enumerate(rows)]  # fmt: skip


def _prompts(asked: Sampled) -> list[str | list[int]]:
    """The prompts by row; messages are joined."""
    if isinstance(asked, ChatRequest):
        return ["\n".join(message.plain["content"] for message in asked.messages)]
    assert isinstance(asked, CompletionRequest)
    return rows_of(asked.prompt)


def _check_asked(service: Service, asked: Sampled) -> None:
    """Check a request before any text is encoded. Raises RequestError."""
    _check_sizes(service, _prompts(asked), "messages" if isinstance(asked, ChatRequest) else "prompt")
    if asked.stream_options and not asked.stream:
        raise RequestError(400, "'stream_options' goes with 'stream': true", "stream_options")


def _check_sizes(service: Service, given: list[str | list[int]], param: str) -> None:
    limits = service.limits
    if len(given) > limits.largest:
        raise RequestError(400, f"'{param}' is {len(given)} rows, at most {limits.largest} are taken at once", param)
    longest = max(len(one) for one in given)
    if longest > limits.max_text:
        raise RequestError(400, f"'{param}' is {longest} long, at most {limits.max_text} are taken", param)


class EventStream(Response):
    """Server-sent events until they end or the client disconnects; then `held` is closed.

    A client that reads nothing for `patience` seconds counts as disconnected. Where the server cancels the request, the
    last event is an error.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], held: ExitStack, patience: float, context: RequestContext) -> None:
        super().__init__(headers={"cache-control": "no-store"})
        del self.headers["content-length"]
        self._events, self._held, self._patience, self._context = events, held, patience, context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            try:
                await while_there(receive, self._send(send))
            except (RequestError, TimeoutError):  # the client has gone, or reads no more
                return
            except asyncio.CancelledError:
                await self._last_words(send)
                raise

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async for one in self._events:
            async with asyncio.timeout(self._patience):
                await send({"type": "http.response.body", "body": one, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _last_words(self, send: Send) -> None:
        if not self._context.status:
            return  # nothing was sent yet: the answer will be an ordinary one
        told = event(error_content("/v1/", 503, f"{STOPPED}; request {self._context.id}"))
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await send({"type": "http.response.body", "body": told, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
