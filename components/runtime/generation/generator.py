"""Texts carried on by a bundle. Needs numpy, tokenizers, onnxruntime and jinja2: no torch, no transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tokenizers import Tokenizer

from components.errors import ArtifactError, DataError
from components.runtime.generation.cache import CacheSlot, left_pad, mask_of, split_cache, stack_cache
from components.runtime.generation.chat import PLAIN_STOPS, check_messages, plain_prompt, render
from components.runtime.generation.detokenizer import StreamingDetokenizer
from components.runtime.generation.graphs import LOGITS, Graph
from components.runtime.generation.rules import Rules
from components.runtime.generation.sampling import Sampler, Sampling
from components.runtime.manifest import GENERATION, TOKENIZER, bundle_of, shipped_rung

FROM_MODEL = "lianzi bundle MODEL BUNDLE makes one"

__all__ = ["Generator", "Row", "Sampling", "load_generator"]


@dataclass(eq=False)
class Row:
    """One text being generated: what it has come to, and its keys and values."""

    prompt: list[int]
    sampling: Sampling
    sampler: Sampler
    detokenizer: StreamingDetokenizer
    source: list[int] = field(default_factory=list)
    """What the encoder of an encoder-decoder reads."""
    tokens: list[int] = field(default_factory=list)
    """What was generated so far, without the token that says it is the end."""
    finished: Literal["stop", "length"] | None = None
    """Why it goes on no further: an end token or a stop text; max_tokens or the model's length."""
    past: CacheSlot | None = None
    cross: CacheSlot | None = None

    @property
    def text(self) -> str:
        """Decoded so far: whole characters, without a stop text or what may become one; it only ever grows."""
        return self.detokenizer.shown

    def __len__(self) -> int:
        return len(self.prompt) + len(self.tokens)


@dataclass(frozen=True)
class Generator:
    """A loaded bundle of a decoder or an encoder-decoder; `max_length` counts prompt and answer."""

    name: str
    rung: str
    max_length: int
    max_batch: int
    chat_template: str | None
    special_tokens: dict[str, str]
    tokenizer: Tokenizer
    pad_id: int
    start_id: int | None
    """What an encoder-decoder's answer begins with; None for a decoder, which carries the prompt on."""
    stop_ids: frozenset[int]
    add_special_tokens: bool
    """Whether a text gets the tokenizer's special tokens around it."""
    rules: Rules
    """What the model's generation config does to logits before a token is taken."""
    decoder: Graph
    encoder: Graph | None

    def encode(self, text: str) -> list[int]:
        """A prompt's ids, or the source's for an encoder-decoder. A prompt is to be carried on: it has no end token."""
        ids = self._ids(text, self.add_special_tokens)
        if self.encoder is None:
            while self.add_special_tokens and len(ids) > 1 and ids[-1] in self.stop_ids:
                ids.pop()
        return ids

    def chat(self, messages: list[dict[str, Any]]) -> list[int]:
        """The ids of a conversation up to where the assistant's answer begins. Raises DataError."""
        checked = check_messages(messages)
        if self.chat_template is None:
            return self.encode(plain_prompt(checked))
        return self.encode_rendered(render(self.chat_template, checked, self.special_tokens))

    @property
    def chat_stops(self) -> tuple[str, ...]:
        """The stop texts of an answer to messages. A template ends each message with a token of its own."""
        return PLAIN_STOPS if self.chat_template is None else ()

    def encode_rendered(self, prompt: str) -> list[int]:
        """The ids of what the chat template has written, special tokens included."""
        return self._ids(prompt, special=False)

    def start(self, ids: list[int], sampling: Sampling) -> Row:
        """A row that has generated nothing yet. Raises DataError where the prompt leaves no room for an answer."""
        if not ids:
            raise DataError("an empty prompt: nothing to carry on")
        room = self.max_length - (len(ids) if self.encoder is None else 0)
        if room < 1 or len(ids) > self.max_length:
            raise DataError(
                f"the prompt has {len(ids):,} tokens, {self.name} takes {self.max_length:,} with the answer",
                "shorten the prompt",
            )
        prompt = ids if self.start_id is None else [self.start_id]
        source = [] if self.encoder is None else ids
        detokenizer = StreamingDetokenizer(self.tokenizer, prompt, sampling.stop)
        sampler = Sampler(sampling, self.rules.top_k, self.rules.min_p)
        return Row(list(prompt), sampling, sampler, detokenizer, list(source))

    def step(self, rows: Sequence[Row]) -> list[int]:
        """One more token for each row, whatever its length and age; new rows are read first. Returns the tokens.

        Rows that are new and rows that go on are two batches, each cut at `max_batch`.
        """
        if any(row.finished for row in rows):
            raise ValueError("a finished row cannot go on")
        chosen: dict[int, int] = {}
        # Told apart beforehand: what is new now has been read once the first batch is done.
        for waiting in [[row for row in rows if (row.past is None) == new] for new in (True, False)]:
            for first in range(0, len(waiting), self.max_batch):
                batch = waiting[first : first + self.max_batch]
                for row, logits in zip(batch, self.advance(batch), strict=True):
                    chosen[id(row)] = self._take(row, logits)
        return [chosen[id(row)] for row in rows]

    def generate(self, prompt_ids: list[int], sampling: Sampling) -> Iterator[str]:
        """The pieces of one answer as they come."""
        row, told = self.start(prompt_ids, sampling), 0
        while row.finished is None:
            self.step([row])
            if len(row.text) > told:
                yield row.text[told:]
                told = len(row.text)

    def complete(self, texts: Sequence[str], sampling: Sampling) -> list[str]:
        """The answer to each text, `max_batch` of them at a time; one that is done makes room for the next."""
        rows = [self.start(self.encode(text), sampling) for text in texts]
        while going := [row for row in rows if row.finished is None]:
            self.step(going[: self.max_batch])
        return [row.text for row in rows]

    def advance(self, rows: Sequence[Row]) -> np.ndarray:
        """Read what the rows, all new or all old, have not read yet. Logits of the next token, (rows, vocabulary)."""
        new = rows[0].past is None
        pending = [row.prompt if new else row.tokens[-1:] for row in rows]
        ids = left_pad(pending, self.pad_id)
        lengths = [len(row) for row in rows]
        mask = mask_of(lengths)
        positions = np.maximum(mask.cumsum(axis=1) - 1, 0)[:, -ids.shape[1] :]
        feeds = {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
        made = self.decoder.run(feeds | self._cache(rows) | self._source(rows))
        present = [made[name] for name in self.decoder.present]
        for row, place in zip(rows, split_cache(present, lengths), strict=True):
            row.past = place
        return made[LOGITS]

    def _ids(self, text: str, special: bool) -> list[int]:
        # As a batch: `encode` keeps the interpreter's lock, and every other thread waits for a long text.
        try:
            return list(self.tokenizer.encode_batch_fast([text], add_special_tokens=special)[0].ids)
        except TypeError:  # the Rust library's word for a string that has no UTF-8
            raise DataError("not valid Unicode (a lone surrogate)") from None

    def _cache(self, rows: Sequence[Row]) -> dict[str, np.ndarray]:
        """The keys and values of what the rows have read: none of new ones."""
        past = [row.past for row in rows if row.past]
        if not past:
            return self.decoder.empty_cache(len(rows))
        return dict(zip(self.decoder.past, stack_cache(past), strict=True))

    def _source(self, rows: Sequence[Row]) -> dict[str, np.ndarray]:
        """What an encoder-decoder's decoder reads of the source."""
        if self.encoder is None:
            return {}
        if rows[0].cross is None:
            self._read_source(rows)
        lengths = [len(row.source) for row in rows]
        cross = stack_cache([row.cross for row in rows if row.cross])
        for row, place in zip(rows, split_cache(cross, lengths), strict=True):
            row.cross = place
        return {"encoder_attention_mask": mask_of(lengths), **dict(zip(self.decoder.cross, cross, strict=True))}

    def _read_source(self, rows: Sequence[Row]) -> None:
        assert self.encoder is not None
        ids = np.full((len(rows), max(len(row.source) for row in rows)), self.pad_id, dtype=np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):  # padded on the right: some encoders count positions from the left
            ids[number, : len(row.source)] = row.source
            mask[number, : len(row.source)] = 1
        read = self.encoder.run({"input_ids": ids, "attention_mask": mask})
        made = [read[name] for name in self.decoder.cross]
        for number, row in enumerate(rows):
            row.cross = CacheSlot(made, number, 0, len(row.source))

    def _take(self, row: Row, logits: np.ndarray) -> int:
        last = len(row.tokens) + 1 >= row.sampling.max_tokens or len(row) + 1 >= self.max_length
        source = row.prompt if self.encoder is None else row.source
        scores = self.rules.apply(logits, [*row.prompt, *row.tokens], len(row.tokens), last, source)
        token = row.sampler.pick(scores)
        if token in self.stop_ids:
            # An end that the model's rules put where there was no room for more is no end of the model's own.
            row.finished = "length" if last and self.rules.forced_eos_token_id else "stop"
        else:
            row.tokens.append(token)
            row.detokenizer.add(token)
            if row.detokenizer.stopped:
                row.finished = "stop"
            elif last:
                row.finished = "length"
        row.detokenizer.done = row.finished is not None
        return token


def load_generator(bundle: Path, rung: str | None = None, threads: int = 1) -> Generator:
    """Load a bundle's shipped rung, or the one named, after checking every file's hash.

    Raises ArtifactError where it is no bundle of a generating model or has no such rung, EngineError.
    """
    manifest = bundle_of(bundle, GENERATION, rung)
    return open_generator(bundle, manifest, rung or shipped_rung(bundle, manifest), threads)


def open_generator(bundle: Path, manifest: dict[str, Any], rung: str, threads: int) -> Generator:
    """The same of a folder that is known to be whole."""
    files = {name: bundle / path for name, path in manifest["rungs"][rung].items()}
    decoder = Graph.load(files["decoder"], threads)
    encoder = Graph.load(files["encoder"], threads) if "encoder" in files else None
    check_graphs(bundle, decoder, encoder)
    return Generator(
        name=manifest["name"],
        rung=rung,
        max_length=manifest["max_length"],
        max_batch=manifest["max_batch"],
        chat_template=manifest["chat_template"],
        special_tokens=manifest["special_tokens"],
        tokenizer=load_tokenizer(bundle, manifest),
        pad_id=manifest["pad_id"],
        start_id=manifest["start_id"],
        stop_ids=frozenset(manifest["stop_ids"]),
        add_special_tokens=manifest["framed"],
        rules=_rules(bundle, manifest, decoder),
        decoder=decoder,
        encoder=encoder,
    )


def _rules(bundle: Path, manifest: dict[str, Any], decoder: Graph) -> Rules:
    """What the manifest has of the model's generation config. Raises ArtifactError for a token the graph has not."""
    rules = Rules.of(manifest.get("rules", {}))
    scores = decoder.session.outputs[0].axes[-1]
    if rules.largest >= (scores if isinstance(scores, int) else 0) > 0:
        raise ArtifactError(f"{bundle}: 'rules' names the token {rules.largest}, the model has {scores}", FROM_MODEL)
    return rules


def check_graphs(bundle: Path, decoder: Graph, encoder: Graph | None) -> None:
    """Raises ArtifactError where a graph is not the one that the manifest takes it for, by what its tensors are."""
    feeds = {"input_ids", "attention_mask", "position_ids", *(["encoder_attention_mask"] if encoder else [])}
    strange = [name for name in decoder.inputs if name not in {*feeds, *decoder.past, *decoder.cross}]
    made = len(decoder.outputs) - 1 == len(decoder.past) > 0 and decoder.outputs[0] == LOGITS
    if strange or not made or bool(decoder.cross) != (encoder is not None):
        raise ArtifactError(f"{bundle}: the graph 'decoder' is none", FROM_MODEL)
    if encoder is not None and {*encoder.outputs} != {*decoder.cross}:
        raise ArtifactError(f"{bundle}: the graph 'encoder' gives not what its decoder reads", FROM_MODEL)


def load_tokenizer(bundle: Path, manifest: dict[str, Any]) -> Tokenizer:
    """The bundle's tokenizer. Text stays text where the model has learnt no marks of a conversation."""
    try:
        tokenizer = Tokenizer.from_file(str(bundle / TOKENIZER))
    except Exception as error:  # the Rust library raises plain Exception for everything
        raise ArtifactError(f"{bundle / TOKENIZER}: not a tokenizer: {error}") from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = manifest["split_special_tokens"]
    return tokenizer
