"""cli.writing: texts that answer texts, a line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.predict import answers
from cli.writing import Writer, Written, load_writer
from components.errors import ArtifactError
from components.runtime.generation.generator import Sampling, load_generator
from components.tasks.kinds import task_of
from tests.serving.conftest import language_bundle


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Writer:
    bundle = language_bundle(tmp_path_factory.mktemp("letters"), "t5", tokenizer_folder)
    return Writer(task_of({"task_kind": "translation", "bleu_tokens": "13a"}), load_generator(bundle))


def test_each_text_is_answered_as_the_generator_answers_it(writer: Writer) -> None:
    greedy = Sampling(writer.generator.max_length - 1, 0.0, 1.0, None, ())
    texts = ["海 船", "ship"]
    assert [one.answer for one in writer.predict(texts)] == [
        writer.generator.complete([text], greedy)[0] for text in texts
    ]


def test_a_blank_line_is_answered_by_a_blank_one(writer: Writer) -> None:
    found = list(answers(writer, ["海 船", " "], as_json=False, with_text=False))
    assert len(found) == 2
    assert found[1] == ""
    assert list(answers(writer, [" "], as_json=True, with_text=False)) == ['{"text": " ", "answer": ""}']


def test_an_answer_of_several_lines_is_shown_in_one() -> None:
    assert str(Written("one\ntwo")) == "one two"
    assert Written("one\ntwo").json() == {"answer": "one\ntwo"}


def test_a_folder_without_a_bundle_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no bundle here"):
        load_writer(tmp_path)
