"""components.analysis.slices: where the candidate is worse than elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from components.analysis.config import SlicesConfig
from components.analysis.slices import MOST_VALUES, analyze, pairs_of, slices_of
from components.analysis.subject import Analysis, Subject
from components.modeling.checkpoints import load_tokenizer
from components.tasks.generation import Generation
from components.tasks.regression import Regression
from components.training.task_data import TaskData, encode
from components.training.task_objective import TaskObjective
from tests.small_artifacts import sentences
from tests.small_ladder import LABELS, LENGTH, TASK, small_model
from tests.small_subjects import small_subject

CONFIG = SlicesConfig(columns=["source", "year"], pairs=0, min_rows=20)
ROWS = 600
TARGETS = np.random.default_rng(2).integers(3, size=ROWS)
SOURCES = np.random.default_rng(3).choice(["mail", "chat", "letter"], size=ROWS)
TEXTS = ["x" * int(length) for length in np.random.default_rng(4).integers(5, 200, size=ROWS)]


def subject(right: np.ndarray | float, seed: int = 6, **changes: Any) -> Subject:
    """One that is right with this probability, by row; a test's draws do not depend on the tests before it."""
    generator = np.random.default_rng(seed)
    wrong = (TARGETS + generator.integers(1, 3, size=ROWS)) % 3
    answers = np.where(generator.random(ROWS) < right, TARGETS, wrong)
    columns = [{"source": str(source), "year": 1990 + number % 30} for number, source in enumerate(SOURCES)]
    return small_subject(("a", "b", "c"), TEXTS, TARGETS, answers, columns=columns, **changes)


def said(given: Subject, config: SlicesConfig = CONFIG) -> Analysis:
    found = analyze(config, given)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("name", "rows"), [("source chat", SOURCES == "chat"), ("label b", TARGETS == 1)], ids=("source", "label")
)
def test_a_slice_that_is_answered_worse_is_named_first(name: str, rows: np.ndarray) -> None:
    found = said(subject(np.where(rows, 0.5, 0.9)))
    assert found.metrics["worst"] == name
    assert found.metrics["worst_size"] == rows.sum()
    assert -0.6 < found.metrics["worst_low"] < found.metrics["worst_gap"] < found.metrics["worst_high"] < -0.25
    assert found.sentences[0].startswith(f"worse where {name}: accuracy 0.")
    table = found.tables["Slices"]
    assert table.rows[0][0] == name
    macro_f1 = {str(row[0]): row[2] for row in table.rows}
    assert macro_f1["label a"] == "–"  # one of three labels would have a third of its F1
    assert 0.5 < float(macro_f1["source mail"]) <= 1


def test_long_texts_that_are_answered_worse_are_named_by_their_length() -> None:
    lengths = np.array(list(map(len, TEXTS)))
    found = said(subject(np.where(lengths > np.quantile(lengths, 0.75), 0.5, 0.9)))
    assert str(found.metrics["worst"]).startswith("characters above 1")
    assert str(found.metrics["worst"]).endswith(f" to {lengths.max()}")


def test_without_a_worse_slice_none_is_called_worse() -> None:
    reports = [said(subject(0.8, seed)) for seed in range(20, 40)]
    assert sum(one.metrics["worse"] > 0 for one in reports) <= 1
    quiet = next(one for one in reports if not one.metrics["worse"])
    assert quiet.sentences[0].startswith("no slice of 14 is shown to be worse than the rest; the lowest is ")
    assert quiet.metrics["worst_gap"] == 0


def test_slices_are_length_label_and_the_columns_that_are_named_and_there() -> None:
    names = [one.name for one in slices_of(["source", "nowhere"], subject(1.0))]
    assert [name.split()[0] for name in names] == ["characters"] * 4 + ["label"] * 3 + ["source"] * 3
    quarters = [one.rows for one in slices_of(["year"], subject(1.0)) if one.column == "year"]
    assert len(quarters) == 4
    assert np.sum(quarters, axis=0).tolist() == [1] * ROWS


def with_column(values: list[Any]) -> Subject:
    columns = [{"given": value} for value in values]
    return small_subject(("a", "b", "c"), TEXTS, TARGETS, TARGETS, columns=columns)


def slices_by(values: list[Any], min_rows: int = 0) -> dict[str, int]:
    found = slices_of(["given"], with_column(values), min_rows)
    return {one.name: int(one.rows.sum()) for one in found if one.column == "given"}


def test_numbers_of_a_table_of_text_are_compared_by_quarters() -> None:
    assert slices_by(["" if not number else str(number % 100) for number in range(ROWS)]) == {
        "given 0 to 25": 155,
        "given above 25 to 50": 150,
        "given above 50 to 75": 150,
        "given above 75 to 99": 144,
    }
    assert next(iter(slices_by([*map(str, range(ROWS - 1)), "none"]))) == "given 0"


def test_quarters_of_a_narrow_column_have_names_of_their_own() -> None:
    assert len(slices_by([1_700_000_000 + number for number in range(ROWS)])) == 4
    assert len(slices_by([1_700_000_000 + number / 1000 for number in range(ROWS)])) == 4
    assert next(iter(slices_by([1990 + number % 30 for number in range(ROWS)]))) == "given 1990 to 1997"


def test_of_a_column_of_many_values_the_frequent_ones_are_compared() -> None:
    assert slices_by([f"row {number}" for number in range(ROWS)], min_rows=2) == {}
    assert len(slices_by([f"row {number % 200}" for number in range(ROWS)], min_rows=2)) == MOST_VALUES


def test_slices_of_one_name_have_p_values_of_their_own() -> None:
    columns = [{"a b": "c" if number % 2 else "x", "a": "b c" if TARGETS[number] else "x"} for number in range(ROWS)]
    given = small_subject("abc", TEXTS, TARGETS, np.where(TARGETS == 1, 0, TARGETS), columns=columns)
    rows = said(given, SlicesConfig(columns=["a b", "a"], pairs=0, min_rows=20)).tables["Slices"].rows
    assert len({row[-1] for row in rows if row[0] == "a b c"}) == 2


def test_a_slice_of_few_rows_is_left_out_and_so_is_one_of_all() -> None:
    columns = [{"source": "rare" if number < 19 else "other"} for number in range(ROWS)]
    given = small_subject(("a", "b", "c"), TEXTS, TARGETS, TARGETS, columns=columns)
    assert not any("source" in str(row[0]) for row in said(given).tables["Slices"].rows)


def test_few_test_rows_have_no_slices() -> None:
    assert analyze(CONFIG, small_subject(("a", "b"), ["x", "yy"], [0, 1], [0, 1])) is None


def test_numbers_are_compared_by_the_first_metric() -> None:
    numbers, chance, noise = np.random.default_rng(6).normal(size=(3, ROWS))
    answers = np.where(SOURCES == "chat", chance, numbers + 0.1 * noise)
    task = Regression(("number",))
    columns = [{"source": str(source)} for source in SOURCES]
    found = said(small_subject((), TEXTS, numbers, answers, task=task, columns=columns))
    assert found.metrics["worst"] == "source chat"
    assert found.sentences[0].startswith("worse where source chat: Pearson correlation ")


def mail_and_chat(count: int, seed: int, flipped: bool = False) -> list[dict[str, Any]]:
    """Rows of three classes from two sources; `flipped`: those from the chat have the next label in place of theirs."""
    rows = []
    for number, (text, label) in enumerate(sentences(count, seed)):
        source = ("mail", "chat", "mail")[number % 3]
        given = LABELS[(LABELS.index(label) + (flipped and source == "chat")) % len(LABELS)]
        rows.append({"text": f"{source}: {text}", "label": given, "source": source})
    return rows


def test_a_source_whose_training_labels_were_flipped_is_named_first(
    task_rows: Path, tokenizer_folder: Path, tmp_path: Path
) -> None:
    """A small transformer learns them; the test rows have the right ones."""
    words = load_tokenizer(tokenizer_folder)
    data = TaskData.read(task_rows, TASK, words)
    model, objective = small_model(tmp_path / "model", task_rows, tokenizer_folder, 3, 30), TaskObjective(data.task)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(60):
        rows = mail_and_chat(32, seed=step, flipped=True)
        objective.loss(model, data.batch(encode(data.task, rows, words, LENGTH), range(len(rows)))).backward()
        optimizer.step()
        optimizer.zero_grad()
    test = mail_and_chat(300, seed=999)
    batch = data.batch(encode(data.task, test, words, LENGTH), range(len(test)))
    with torch.inference_mode():
        answers, targets = objective.answers(model.eval(), [batch]), data.task.targets(test)
    texts, columns = [row["text"] for row in test], [{"source": row["source"]} for row in test]
    found = said(small_subject(LABELS, texts, targets, answers, columns=columns))
    assert found.metrics["worst"] == "source chat"
    assert found.sentences[0].startswith("worse where source chat: accuracy 0.")


def test_perplexity_of_texts_from_one_source_is_compared_with_that_of_the_others() -> None:
    noise = np.random.default_rng(7).normal(scale=0.3, size=(ROWS, 5, 1))
    losses = np.where(SOURCES == "chat", 3.2, 2.2)[:, None, None] + noise
    answers = np.concatenate([losses, np.zeros((ROWS, 5, 1))], axis=2)
    columns = [
        {"id": str(n), "text": text, "source": str(one)}
        for n, (text, one) in enumerate(zip(TEXTS, SOURCES, strict=True))
    ]
    given = replace(
        small_subject("ab", TEXTS, TARGETS % 2, TARGETS % 2), task=Generation(()), answers=answers, columns=columns
    )
    found = said(given)
    assert found.metrics["worst"] == "source chat"
    assert found.metrics["worst_gap"] == pytest.approx(-1, abs=0.1)  # nats a token
    assert found.sentences[0].startswith("worse where source chat: perplexity 2")
    assert " nats a token beside the rest" in found.sentences[0]
    assert "beside the rest, nats a token" in found.tables["Slices"].header


PAIRS = SlicesConfig(columns=["source"], pairs=50, min_rows=20)
LONG = np.array(list(map(len, TEXTS))) > np.quantile(list(map(len, TEXTS)), 0.75, method="inverted_cdf")


def test_a_defect_of_two_columns_together_is_named_first_and_neither_of_them_before_it() -> None:
    planted = LONG & (SOURCES == "chat")
    found = said(subject(np.where(planted, 0.3, 0.9)), PAIRS)
    assert found.metrics["worst_size"] == planted.sum()
    assert found.sentences[0].startswith("worse where characters above 1")
    assert " and source chat: accuracy 0." in found.sentences[0]
    assert found.metrics["worst_high"] < -0.3
    assert f"as one of {10 + found.metrics['pairs']} slices" in found.sentences[0]


def test_a_defect_of_one_column_alone_is_not_put_down_to_a_pair() -> None:
    found = [said(subject(np.where(SOURCES == "chat", 0.5, 0.9), seed), PAIRS) for seed in range(30, 40)]
    assert sum(one.metrics["worst"] == "source chat" for one in found) >= 9


def test_pairs_are_of_two_columns_the_largest_and_no_more_than_asked_for() -> None:
    single = list(slices_of(["source"], subject(1.0)))
    every = pairs_of(single, 1000, 1)
    assert len(every) == 4 * 3 + 4 * 3 + 3 * 3
    assert all(len({one.column for one in pair.of}) == 2 for pair in every)
    few = pairs_of(single, 5, 1)
    assert len(few) == 5
    assert min(one.rows.sum() for one in few) >= np.sort([one.rows.sum() for one in every])[-5]
    assert pairs_of(single, 0, 1) == []


def test_a_column_that_says_the_same_as_another_makes_no_pairs() -> None:
    columns = [{"source": str(source), "channel": f"by {source}"} for source in SOURCES]
    given = small_subject(("a", "b", "c"), TEXTS, TARGETS, TARGETS, columns=columns)
    single = [one for one in slices_of(["source", "channel"], given) if one.column in ("source", "channel")]
    assert len(single) == 6
    assert pairs_of(single, 50, 1) == []


def test_without_a_worse_slice_no_pair_is_called_worse() -> None:
    reports = [said(subject(0.8, seed), PAIRS) for seed in range(50, 70)]
    assert sum(one.metrics["worse"] > 0 for one in reports) <= 1
