"""A generation bundle for the server: prompts or messages in, rows for the generator out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import DataError, first_line
from components.serving.continuous_batching import GenerationRequest
from components.serving.rendering import Renderer
from components.serving.request_error import RequestError
from components.serving.working import Workers

if TYPE_CHECKING:
    from components.runtime.generation.generator import Generator

PLATFORM = "onnxruntime_onnx"


@dataclass(frozen=True)
class Generation:
    """A loaded bundle."""

    generator: Generator
    vocabulary: int
    renderer: Renderer | None = None
    """The renderer of the chat template, if there is one."""
    endpoints = ("/v1/completions", "/v1/chat/completions")

    @classmethod
    def load(cls, bundle: Path, threads: int = 1) -> Generation:
        """Load the shipped graph and generate a token with it. Raises ArtifactError, EngineError."""
        from components.runtime.generation.generator import Sampling, load_generator

        generator = load_generator(bundle, threads=threads)
        row = generator.start(generator.encode("a"), Sampling(1, 0.0, 1.0, 0, ()))
        generator.step([row])
        template = generator.chat_template
        renderer = None if template is None else Renderer(template, generator.special_tokens)
        return cls(generator, generator.tokenizer.get_vocab_size(), renderer)

    async def close(self) -> None:
        """End the processes beside this one."""
        if self.renderer:
            await self.renderer.close()

    def describe(self) -> dict[str, Any]:
        """The tensors for the protocol's model metadata; requests go to /v1."""
        inputs = [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
        return {"platform": PLATFORM, "inputs": inputs, "outputs": inputs, "labels": []}

    def prompt(self, given: str | Sequence[int], param: str) -> list[int]:
        """Token ids of a text, or the ids given. Raises RequestError."""
        ids = self.generator.encode(given) if isinstance(given, str) else list(given)
        return self._fitting(ids, param)

    def prompts(self, given: Sequence[str | Sequence[int]]) -> list[list[int]]:
        """The same for several prompts."""
        return [self.prompt(one, "prompt") for one in given]

    async def conversation(self, messages: list[dict[str, str]], workers: Workers) -> list[int]:
        """Token ids of messages by the bundle's chat template, or as plain lines. Raises RequestError."""
        try:
            if self.renderer is None:
                ids = await workers.run(self.generator.chat, messages)
            else:
                prompt = await self.renderer.render(messages)
                ids = await workers.run(self.generator.encode_rendered, prompt)
        except DataError as error:
            raise RequestError(400, first_line(error), "messages") from None
        return self._fitting(ids, "messages")

    def generation_request(
        self,
        ids: list[int],
        most: int | None,
        temperature: float | None,
        top_p: float | None,
        seed: int,
        stop: tuple[str, ...],
    ) -> GenerationRequest:
        """A row to generate: at most `most` tokens and as many as fit; OpenAI's defaults, temperature and top_p of
        1.
        """
        from components.runtime.generation.sampling import Sampling

        tokens = min(most or self.room(ids), self.room(ids))
        by = Sampling(
            max_tokens=tokens,
            temperature=1.0 if temperature is None else temperature,
            top_p=1.0 if top_p is None else top_p,
            seed=seed,
            stop=stop,
        )
        return GenerationRequest(ids, by)

    def room(self, ids: Sequence[int]) -> int:
        """The number of tokens that fit: the answer of an encoder-decoder does not follow its source."""
        longest = self.generator.max_length
        return longest - len(ids) if self.generator.encoder is None else longest if len(ids) <= longest else 0

    def _fitting(self, ids: list[int], param: str) -> list[int]:
        if not ids:
            raise RequestError(400, f"'{param}' holds no token", param)
        if self.room(ids) < 1:
            reason = f"'{param}' is {len(ids)} tokens, the model takes {self.generator.max_length} with the answer"
            raise RequestError(400, reason, param, "context_length_exceeded")
        if max(ids) >= self.vocabulary:
            raise RequestError(400, f"'{param}' has the id {max(ids)}, the last one is {self.vocabulary - 1}", param)
        return ids
