from __future__ import annotations

from components.deployment.rows import Rows
from components.evaluation.baselines.baseline import TuningData
from components.evaluation.baselines.texts import FREQUENT, TextBaseline, first_sentence
from components.tasks.summarization import Summarization
from components.tasks.translation import Translation


def test_the_rule_that_is_best_on_the_validation_rows_is_taken() -> None:
    task = Summarization.fit(["x"])
    texts = ["The ship sails. It is old and slow, and nobody likes it.", "Cities grow. Markets close at noon there."]
    rows = Rows(texts, task.written(["The ship sails.", "Cities grow."]))
    found = TextBaseline.tuned(TuningData(task, rows, rows, "en"))
    assert found.choice.rule == "its first sentence (lead-1)"
    assert task.values(found.predict(texts)) == ["The ship sails.", "Cities grow."]
    assert found.megabytes() > 0
    assert found.choice.metrics() == {"rule": 1}


def test_where_copying_is_of_no_use_the_most_frequent_target_is_written() -> None:
    task = Translation.fit(["三月"])
    rows = Rows(["March 1", "March 2", "May 3"], task.written(["三月", "三月", "五月"]))
    found = TextBaseline.tuned(TuningData(task, rows, rows, "en"))
    assert found.choice.rule == FREQUENT
    assert task.values(found.predict(["June"])) == ["三月"]


def test_a_sentence_ends_at_its_sign() -> None:
    assert first_sentence("A 3.5 mile run. Then home.") == "A 3.5 mile run."
    assert first_sentence("船在海上。城里有市场。") == "船在海上。"
    assert first_sentence("no sign at all") == "no sign at all"
