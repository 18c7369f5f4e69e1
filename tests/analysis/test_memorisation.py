"""components.analysis.memorisation."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from components.analysis.config import MemorisationConfig
from components.analysis.memorisation import analyze, written
from components.analysis.subject import Subject
from components.deployment.generation.scores import torch_scores
from components.deployment.generation.written import torch_answers
from components.deployment.rows import Rows
from components.modeling.checkpoints import load_tokenizer, save_checkpoint
from components.tasks.generation import Generation
from components.tasks.translation import Translation
from tests.small_artifacts import WORDS
from tests.small_bundles import GENERATOR, bundle
from tests.small_language_models import small_model
from tests.small_subjects import small_subject

CONFIG = MemorisationConfig(rows=60, prompt_tokens=10, continuation_tokens=8)
Make = Callable[..., Subject]


def random_texts(count: int, seed: int) -> list[str]:
    """Words in an order that nobody can guess."""
    random = np.random.default_rng(seed)
    words = [word for each in WORDS.values() for word in each[:7]]
    return [" ".join(random.choice(words, 24)) for _ in range(count)]


CANARIES = random_texts(10, seed=1)
TRAINING = [*random_texts(20, seed=2), *CANARIES, *random_texts(20, seed=3)]


def learn_by_heart(model: PreTrainedModel, loss_of: Callable[[], torch.Tensor], steps: int, enough: float) -> None:
    """Without dropout, which keeps a model from knowing a text by heart."""
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    for _ in range(steps):
        loss = loss_of()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss <= enough:
            break
    assert loss <= enough


def keep(model: PreTrainedModel, tokenizer_folder: Path, folder: Path) -> None:
    """The model as a student, and the bundle that it would be."""
    save_checkpoint(model.eval(), tokenizer_folder, folder / "student")
    bundle(folder / "bundle", GENERATOR | {"max_length": 24})
    shutil.copy(tokenizer_folder / "tokenizer.json", folder / "bundle")


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Subject:
    """A decoder that has read the ten canary rows until it knows them, and no other row."""
    folder = tmp_path_factory.mktemp("memorised")
    model, encode = small_model("gpt2"), load_tokenizer(tokenizer_folder)
    ids = torch.tensor([encode(text, add_special_tokens=False)["input_ids"][:24] for text in CANARIES])

    def loss() -> torch.Tensor:  # of what follows the first tokens, which some rows may share
        logits = model(input_ids=ids).logits[:, 9:-1]
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 10:].flatten())

    learn_by_heart(model, loss, steps=2000, enough=0.02)
    keep(model, tokenizer_folder, folder)
    test = random_texts(30, seed=4)
    scores = np.zeros((30, 1, 2))
    return small_subject(
        [],
        test,
        scores,
        scores,
        task=Generation(("token",)),
        answer=torch_scores(folder / "student", 24),
        bundle=folder / "bundle",
        train=Rows(list(TRAINING), np.zeros(50)),
        train_columns=[{"id": f"train/line-{number}"} for number in range(1, 51)],
    )


def test_the_rows_that_were_memorised_are_named(subject: Subject) -> None:
    found = analyze(CONFIG, subject)
    assert found is not None
    table = found.tables["Training rows that are carried on word for word"]
    assert [row[0] for row in table.rows] == [f"train/line-{number}" for number in range(21, 31)]
    assert str(table.rows[0][1]) in CANARIES[0]
    assert found.metrics["training_rows"]["rows"] == 50
    assert found.metrics["training_rows"]["extractable"]["value"] == 0.2
    assert found.metrics["test_rows"]["extractable"]["value"] == 0
    assert found.metrics["longest_run"] == 8
    assert "of 50 training rows 20.0 % (11.2 to 33.0) are carried on word for word" in found.sentences[0]
    assert "train/line-21, train/line-22, train/line-23 …" in found.sentences[0]


def test_rows_that_are_too_short_say_nothing(subject: Subject) -> None:
    assert analyze(CONFIG.model_copy(update={"prompt_tokens": 20}), subject) is None


SOURCES = random_texts(50, seed=5)


@pytest.fixture(scope="module", params=["bart", pytest.param("t5", marks=pytest.mark.slow)])
def writer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Subject:
    """An encoder-decoder that has read the ten canary rows with the texts they are the answers to, and no other row."""
    folder = tmp_path_factory.mktemp(request.param)
    model, encode = small_model(request.param), load_tokenizer(tokenizer_folder)
    task = Translation(("token",))
    asked = [encode(text, truncation=True, max_length=24)["input_ids"] for text in SOURCES[20:30]]
    length = max(map(len, asked))
    ids = torch.tensor([one + [0] * (length - len(one)) for one in asked])
    labels = torch.tensor([[*encode(text, add_special_tokens=False)["input_ids"][:22], 2] for text in CANARIES])

    def loss() -> torch.Tensor:
        found: torch.Tensor = model(input_ids=ids, attention_mask=(ids > 0).long(), labels=labels).loss
        return found

    learn_by_heart(model, loss, steps=1000, enough=0.01)
    keep(model, tokenizer_folder, folder)
    test = task.written(random_texts(30, seed=4))
    return small_subject(
        [],
        random_texts(30, seed=6),
        test,
        test,
        task=task,
        answer=torch_answers(task, folder / "student", 24),
        bundle=folder / "bundle",
        train=Rows(SOURCES, task.written(TRAINING)),
        train_columns=[{"id": f"train/line-{number}"} for number in range(1, 51)],
    )


def test_the_rows_that_an_encoder_decoder_has_memorised_are_named(writer: Subject) -> None:
    found = analyze(CONFIG, writer)
    assert found is not None
    table = found.tables["Training rows that are carried on word for word"]
    assert [row[0] for row in table.rows] == [f"train/line-{number}" for number in range(21, 31)]
    assert CANARIES[0].startswith(str(table.rows[0][1]))
    assert found.metrics["training_rows"]["rows"] == 50
    assert found.metrics["training_rows"]["extractable"]["value"] == 0.2
    assert found.metrics["test_rows"]["extractable"]["value"] == 0
    told = found.sentences[0]
    assert "20.0 % (11.2 to 33.0) are answered word for word, the first 8 tokens of the target" in told
    assert "train/line-21, train/line-22, train/line-23 …" in told


def test_an_answer_that_ends_early_or_starts_otherwise_is_no_memory(writer: Subject) -> None:
    task = writer.task
    length = CONFIG.continuation_tokens

    def runs(texts: list[str]) -> set[int]:
        given = replace(writer, answer=lambda asked: task.written(texts))
        return {one.run for one in written(CONFIG, given, writer.train)}

    assert max(runs([text.split()[0][:2] for text in TRAINING])) < length
    assert runs([f"% {text}" for text in TRAINING]) == runs([""] * 50) == {0}
    assert runs([f"{text} and more" for text in TRAINING]) == {length}


def test_it_says_nothing_of_classifiers() -> None:
    assert analyze(CONFIG, small_subject(["a"], ["x"], [0], [0])) is None
