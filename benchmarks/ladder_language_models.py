"""The ladders of a causal language model and of an encoder-decoder, for benchmarks.ladder.

No such model comes with the project, so small ones (Llama and T5 shapes of 5 million parameters) read the corpus for a
minute or two first: enough for a perplexity that rounding can spoil, and for answers that vary.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel, T5Config, T5ForConditionalGeneration

from benchmarks.report import beside_goals
from cli.bundle import held_out_texts
from components.deployment.folder_bundle import BundleOptions, make_bundle
from components.deployment.generation.output_parity import greedy
from components.deployment.quantizers import QUANTIZERS
from components.deployment.speed import Target, judge
from components.deployment.timing import Case, Seconds, time_cases
from components.modeling.checkpoints import save_checkpoint
from components.params import Params
from components.runtime.generation.generator import Generator, load_generator
from components.tokenization.reader import PackedTokens

ARTIFACTS = Path("artifacts")
PROMPT, ANSWER, PROMPTS = 64, 32, 16
"""Tokens of a prompt, new tokens of an answer, prompts that greedy answers are compared on."""

BATCHES = (1, 8)
GOALS = {"times_faster_batch_1": 6.0, "greedy_exact": 0.95}
"""Of the shipped rung of the causal language model, against eager PyTorch with its cache."""
WIDTH, HEADS, LAYERS = 256, 4, 4

Generate = Callable[[list[list[int]]], list[list[int]]]
"""Prompts, all of one length, to ANSWER tokens each, the likeliest at every step, ends of text included."""


def causal_lm(tokens: PackedTokens, steps: int) -> PreTrainedModel:
    """A Llama that has read `steps` batches."""
    config = LlamaConfig(
        vocab_size=tokens.vocab_size,
        hidden_size=WIDTH,
        intermediate_size=704,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS // 2,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        **_special(),
    )
    return _trained(LlamaForCausalLM(config), tokens, steps, lambda ids: {"input_ids": ids, "labels": ids})


def encoder_decoder(tokens: PackedTokens, steps: int) -> PreTrainedModel:
    """A T5 that has learnt to go on from what its encoder read."""
    config = T5Config(
        vocab_size=tokens.vocab_size,
        d_model=WIDTH,
        d_kv=WIDTH // HEADS,
        d_ff=512,
        num_layers=LAYERS // 2,
        num_heads=HEADS,
        decoder_start_token_id=0,
        **_special(),
    )
    return _trained(
        T5ForConditionalGeneration(config),
        tokens,
        steps,
        lambda ids: {"input_ids": ids[:, :64], "labels": ids[:, 64:].contiguous()},
    )


MODELS: dict[str, Callable[[PackedTokens, int], PreTrainedModel]] = {
    "causal_lm": causal_lm,
    "encoder_decoder": encoder_decoder,
}


def language_model(name: str, params: Params, rounds: int, steps: int) -> dict[str, Any]:
    """The ladder of one of MODELS: its rungs from eager PyTorch down."""
    tokenizer = ARTIFACTS / "tokenizer"
    torch.manual_seed(17)
    model = MODELS[name](PackedTokens(ARTIFACTS / "tokens", "train"), steps)
    held_out = PackedTokens(ARTIFACTS / "tokens", "validation")
    starts = np.linspace(0, len(held_out) - PROMPT, PROMPTS).astype(int)
    prompts = held_out.gather(starts, PROMPT).tolist()
    with tempfile.TemporaryDirectory() as folder:
        source, bundle = Path(folder, "model"), Path(folder, "bundle")
        source.mkdir()
        save_checkpoint(model, tokenizer, source)
        made = make_bundle(
            source, bundle, held_out_texts(None), BundleOptions(max_length=256, measure=False), params.gate, name
        )
        ladder = [rung for rung in ("fp32", *QUANTIZERS) if rung in made["rungs"]]
        generators = {rung: load_generator(bundle, rung) for rung in ladder}
        runs = {"eager": _eager(model), **{rung: _rung(generators[rung]) for rung in ladder}}
        sizes = {"eager": round((source / "model.safetensors").stat().st_size / 1e6, 3), **made["megabytes"]}
    numbers, seconds = _measured(runs, prompts, rounds)
    for rung, found in numbers.items():
        found |= _quality(made, rung) | {
            "megabytes": sizes[rung],
            "times_smaller": round(sizes["eager"] / sizes[rung], 2),
        }
    release = params.release
    target = Target(release.target_batch, release.min_speedup, rounds, release.confidence)
    verdicts = judge({rung: seconds[rung] for rung in ladder}, target)
    too_slow = {rung: verdict["reason"] for rung, verdict in verdicts.items() if not verdict["accepted"]}
    shipped = [rung for rung in ladder if rung not in too_slow][-1]
    goals = GOALS if name == "causal_lm" else {}
    return {
        "rungs": numbers,
        "shipped": shipped,
        "refused": made["refused"] | too_slow,
        "goals": beside_goals(numbers[shipped], goals),
    }


def _special() -> dict[str, int]:
    return {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def _trained(
    model: PreTrainedModel, tokens: PackedTokens, steps: int, feeds: Callable[[torch.Tensor], dict[str, torch.Tensor]]
) -> PreTrainedModel:
    generator = np.random.default_rng(17)
    optimizer = torch.optim.AdamW(model.train().parameters(), 2e-3)
    for _ in range(steps):
        ids = torch.from_numpy(tokens.gather(generator.integers(len(tokens) - 96, size=16), 96))
        model(**feeds(ids)).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


def _eager(model: PreTrainedModel) -> Generate:
    """transformers' own `generate`, with its cache."""
    model.generation_config.eos_token_id = None  # so that every answer has its full length

    def run(prompts: list[list[int]]) -> list[list[int]]:
        ids = torch.tensor(prompts)
        with torch.inference_mode():
            found = model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=ANSWER, do_sample=False, num_beams=1
            )
        return found[:, -ANSWER:].tolist()

    return run


def _rung(generator: Generator) -> Generate:
    endless = replace(generator, stop_ids=frozenset())  # so that every answer has its full length
    return lambda prompts: greedy(endless, prompts)


def _measured(
    runs: Mapping[str, Generate], prompts: Sequence[list[int]], rounds: int
) -> tuple[dict[str, dict[str, float]], Seconds]:
    """Times and exact tokens of every rung, with ratios to the first; and the seconds themselves."""
    numbered = tuple(str(number) for number in range(len(prompts)))
    every = [Case(batch, "prompts", numbered) for batch in BATCHES]
    by_number = {
        name: lambda rows, run=run: run([prompts[int(row)] for row in rows])  # type: ignore[misc]
        for name, run in runs.items()
    }
    seconds = time_cases(by_number, every, rounds)
    answers = {name: np.array(run(list(prompts))) for name, run in runs.items()}
    first = next(iter(runs))
    numbers: dict[str, dict[str, float]] = {}
    for name in runs:
        found = {"greedy_exact": round(float((answers[name] == answers[first]).mean()), 4)}
        for batch in BATCHES:
            taken, of_first = (seconds[one][f"batch_{batch}_prompts"] for one in (name, first))
            found[f"batch_{batch}_p50_ms"] = round(float(1e3 * np.median(taken)), 2)
            found[f"batch_{batch}_tokens_per_second"] = round(float(batch * ANSWER * len(taken) / taken.sum()), 1)
            found[f"times_faster_batch_{batch}"] = round(float(np.median(of_first / taken)), 2)
        numbers[name] = found
    return numbers, seconds


def _quality(made: Mapping[str, Any], rung: str) -> dict[str, float]:
    if rung == "eager":
        return {"perplexity": made["proof"]["fp32"]["reference_perplexity"], "agreement": 1.0}
    return {name: made["proof"][rung][name] for name in ("perplexity", "agreement")}
