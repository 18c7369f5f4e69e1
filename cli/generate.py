"""`lianzi generate`: how the language model in a bundle carries a text on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click


@click.command("generate")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("prompt")
@click.option("--max-tokens", default=128, show_default=True, type=click.IntRange(1))
@click.option("--temperature", default=0.0, show_default=True, type=click.FloatRange(0), help="0: the likeliest token.")
@click.option("--top-p", default=1.0, show_default=True, type=click.FloatRange(0, 1, min_open=True))
@click.option("--seed", type=click.IntRange(0), help="The same text again.")
@click.option("--stop", multiple=True, help="A text that ends the answer; may be repeated.")
@click.option("--chat", is_flag=True, help="PROMPT is a message to the assistant.")
@click.option("--rung", help="fp32, int8 or int4 (default: the shipped one).")
def command(bundle: Path, prompt: str, chat: bool, rung: str | None, **sampling: Any) -> None:
    """Print how the model in BUNDLE carries PROMPT on, as it comes."""
    from components.runtime.generation.generator import Sampling, load_generator

    checked = Sampling(**sampling)
    generator = load_generator(bundle, rung, threads=os.cpu_count() or 1)
    ids = generator.chat([{"role": "user", "content": prompt}]) if chat else generator.encode(prompt)
    for text in generator.generate(ids, checked):
        click.echo(text, nl=False)
    click.echo()
