"""`lianzi in-context`: a language model answers a classification task without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.bundle import folder_of, gate_limits
from components.errors import ParameterError

if TYPE_CHECKING:
    from components.evaluation.in_context import InContext
    from components.tasks.task import Task

TASKS = Path("artifacts/tasks")
TEMPLATE = "{text}\\nLabel: {label}"


@click.command("in-context")
@click.argument("bundle")
@click.argument("task")
@click.argument("texts", nargs=-1)
@click.option("--template", default=TEMPLATE, show_default=True, help="What the model reads; \\n is a new line.")
@click.option("--word", "words", multiple=True, metavar="LABEL=WORD", help="Word for a label (default: its name).")
@click.option(
    "--shots", type=click.IntRange(0), default=0, show_default=True, help="Training rows of each label in the prompt."
)
@click.option("--seed", type=click.IntRange(0), default=17, show_default=True, help="Seed that draws them.")
@click.option("--calibrated", is_flag=True, help="Divide by the words' probability without a text.")
@click.option("--rows", type=click.IntRange(1), default=200, show_default=True, help="Largest number of test rows.")
@click.option("--rung", help="fp32, int8 or int4 (default: the shipped one).")
def command(
    bundle: str,
    task: str,
    texts: tuple[str, ...],
    template: str,
    words: tuple[str, ...],
    shots: int,
    seed: int,
    calibrated: bool,
    rows: int,
    rung: str | None,
) -> None:
    """Classify TEXTS by the labels of TASK with the language model in BUNDLE, without training; without TEXTS, score it
    on the task's test rows.

    \b
    lianzi in-context story form --template '{text}\\n体裁：{label}' --shots 2
    lianzi in-context story topic --word sport=sports --calibrated "The match ended in a draw."

    BUNDLE is a bundle's folder or a task of kind generation; TASK is one of kind classification.
    """
    from components.evaluation.in_context import InContext, LabelPrompt, balanced_shots, macro_f1_told, with_shots
    from components.runtime.generation.generator import load_generator
    from components.tasks.rows import read_split

    answering = classification(task)
    prompt = LabelPrompt(template.replace("\\n", "\n"), label_words(answering.labels, words))
    asked = InContext(load_generator(folder_of(bundle), rung), prompt, calibrated)
    if shots:
        train = read_split(TASKS / task / "train.jsonl", answering)
        asked = with_shots(asked, balanced_shots(train, answering.labels, shots, seed))
    if texts:
        told = labels_of(asked, answering, texts)
    else:
        test = read_split(TASKS / task / "test.jsonl", answering)
        some = test[:: max(1, len(test) // rows)][:rows]
        answers = asked.predict([row["text"] for row in some])
        told = [f"{task}: {macro_f1_told(answering, some, answers, gate_limits())}"]
    # Behind the answers: an error is one line or two.
    if not calibrated and (uneven := asked.uneven_words()):
        click.echo(f"{uneven}: long words are never likely; --calibrated evens that out", err=True)
    for line in told:
        click.echo(line)


def classification(name: str) -> Task:
    """A task of one label a text. Raises ArtifactError where it has no rows, ParameterError for another kind."""
    from components.tasks.rows import read_task

    task = read_task(TASKS / name)
    if task.kind != "classification":
        raise ParameterError(f"{name} is a task of kind {task.kind}", "classification alone is answered by label words")
    if task.pair:
        raise ParameterError(f"{name} has two texts a row", "a prompt has a place for one; take a task of one text")
    return task


def label_words(labels: Sequence[str], given: Sequence[str]) -> Mapping[str, str]:
    """What stands for each label. Raises ParameterError for a label that there is not."""
    words = {label: label for label in labels}
    for one in given:
        label, equals, word = one.partition("=")
        if not equals or label not in words:
            raise ParameterError(f"--word {one!r:.60}: expected LABEL=WORD", f"labels: {', '.join(labels)}")
        words[label] = word
    return words


def labels_of(asked: InContext, task: Task, texts: Sequence[str]) -> list[str]:
    """The label of each text."""
    return [str(label) for label in task.values(asked.predict(texts))]
