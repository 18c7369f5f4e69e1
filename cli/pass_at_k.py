"""`lianzi pass-at-k`: how often a language model's programs pass their tests."""

from __future__ import annotations

from pathlib import Path

import click

from cli.bundle import folder_of
from components.errors import ParameterError


@click.command("pass-at-k")
@click.argument("bundle")
@click.argument("problems", type=click.Path(path_type=Path))
@click.option("--samples", type=click.IntRange(1), default=20, show_default=True, help="Programs for each problem.")
@click.option(
    "--k",
    "ks",
    type=click.IntRange(1),
    multiple=True,
    default=(1, 10),
    show_default=True,
    help="k of pass@k; may be given several times.",
)
@click.option(
    "--temperature", type=click.FloatRange(0), default=0.8, show_default=True, help="0: the most likely token."
)
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), default=0.95, show_default=True)
@click.option("--max-tokens", type=click.IntRange(1), default=256, show_default=True, help="Of a program.")
@click.option("--seed", type=click.IntRange(0), default=17, show_default=True)
@click.option("--seconds", type=click.IntRange(1), default=5, show_default=True, help="Time limit of a program.")
@click.option("--megabytes", type=click.IntRange(64), default=512, show_default=True, help="Memory limit of a program.")
@click.option("--rung", help="fp32, int8 or int4 (default: the shipped one).")
def command(
    bundle: str,
    problems: Path,
    samples: int,
    ks: tuple[int, ...],
    temperature: float,
    top_p: float,
    max_tokens: int,
    seed: int,
    seconds: int,
    megabytes: int,
    rung: str | None,
) -> None:
    """Have the language model in BUNDLE write programs for PROBLEMS, and run their tests.

    PROBLEMS has rows with `prompt` and `test`, and with `entry_point` where the tests define `check`, as in HumanEval.
    Each program runs in a process of its own, with limits of time, memory and files. Where the system allows it, a
    program has no network and can write to its own folder alone. This guards against accidents, not against attackers.
    """
    from components.evaluation.pass_at_k import STOPS, read_problems, tried
    from components.evaluation.sandbox import Limits
    from components.runtime.generation.generator import Sampling, load_generator

    if (largest := max(ks)) > samples:
        raise ParameterError(f"--k {largest}: more than --samples {samples}", f"--samples {largest}")
    limits = Limits(seconds, megabytes)
    given = read_problems(problems, limits)
    generator = load_generator(folder_of(bundle), rung)
    found = tried(generator, given, samples, Sampling(max_tokens, temperature, top_p, seed, STOPS), limits)
    scores = ", ".join(f"pass@{k} {found.pass_at(k):.4f}" for k in ks)
    click.echo(f"{scores}; problems {len(given):,}, programs for each {samples}")
    for reason, count in list(found.reasons.items())[:10]:
        click.echo(f"{count:,} not passed: {reason}")
