"""The stage validate: good data gets a verdict, bad data stops here and says what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from components.artifacts import read_manifest
from components.corpus.config import ValidateConfig
from components.errors import ValidationFailed
from components.run import Metrics, RecordedRun
from components.validation.drift import STATISTICS, accepted_name
from components.validation.validate import validate

if TYPE_CHECKING:
    from conftest import Curated

    from components.tasks.config import TaskConfig

DOCS = Path("reports/validation")
Tasks = dict[str, "TaskConfig"]


@pytest.fixture(autouse=True)
def _inside_the_project(curated: Curated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(curated.folder)


def validated(curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun) -> Metrics:
    curated.write()
    folder = curated.folder
    return validate(config, tasks, folder / "corpus", folder / "tasks", folder / "verdict", DOCS, run)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def complaint(curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun) -> str:
    with pytest.raises(ValidationFailed) as caught:
        validated(curated, config, tasks, run)
    assert not (curated.folder / "verdict").exists()
    return str(caught.value)


def test_good_data_gets_the_same_verdict_and_the_same_pages_each_time(
    curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun
) -> None:
    metrics = validated(curated, config, tasks, run)
    first, pages = contents(curated.folder / "verdict"), contents(DOCS)
    validated(curated, config, tasks, run)
    assert first == contents(curated.folder / "verdict")
    assert pages == contents(DOCS)
    assert "validations/corpus.html" in pages
    assert json.loads(first["verdict.json"])["success"]
    assert read_manifest(curated.folder / "verdict", "verdict")["made_from"].keys() == {"corpus", "task_colour"}
    assert metrics["rows"] == {"corpus": 41, "colour_test": 20, "colour_validation": 20, "colour_train": 20}
    assert run.files == [DOCS] * 2


def test_everything_wrong_is_told_at_once_with_rows_and_the_docs_are_there(
    curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun
) -> None:
    corpus, task = curated.corpus["train"], curated.task
    corpus[0]["text"] = "test row 3"
    corpus[2]["id"] = corpus[3]["id"]
    corpus[4]["text"] = corpus[5]["text"]
    corpus[6]["language"] = "fr"
    task["train"][0]["text"] = "validation row 1"
    task["test"][0]["label"] = "c"
    message = complaint(curated, config, tasks, run)
    for expected in (
        "corpus: expected: no document is a validation or test row of a task, no train document a validation one; "
        "broken by 1 of 41 rows",
        "doc/4 held_out_in='colour/test' “test row 3”",
        "broken by 2 of 41 rows (expect_column_values_to_be_unique on `id`): doc/7",
        "broken by 2 of 41 rows (expect_column_values_to_be_unique on `fingerprint`)",
        "expected: the language is one of en, zh, or a programming language; broken by 1 of 41 rows",
        "colour_train: expected: no row also stands in a split that is held out from this one",
        "colour_test: expected: the label is one of a, b; broken by 1 of 20 rows",
        "test-0 label='c' “test row 0”",
        str(DOCS / "index.html"),
    ):
        assert expected in message
    assert "Data validation: failed" in (DOCS / "index.html").read_text()
    assert not json.loads((DOCS / "verdict.json").read_text())["success"]
    assert run.files == [DOCS]


@pytest.mark.parametrize(
    ("threshold", "told"),
    [
        ({"min_documents": 50}, "expected: at least 50 documents; found 41 in 41 rows"),
        ({"min_class_share": 0.6}, "colour_train: expected: every class has 60.0% of the rows or more"),
    ],
)
def test_thresholds_come_from_the_parameters(
    curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun, threshold: dict[str, Any], told: str
) -> None:
    assert told in complaint(curated, config.model_copy(update=threshold), tasks, run)


def test_text_in_the_wrong_script_is_told(
    curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun
) -> None:
    for number, row in enumerate(curated.corpus["train"][:3]):
        row["text"] = f"白日依山盡，黃河入海流。{number}"
    message = complaint(curated, config, tasks, run)
    assert "97.0% of the texts or more are in the script of their language; broken by 3 of 41 rows" in message


def test_personal_data_lengths_and_labels_are_told(
    curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun
) -> None:
    curated.corpus["train"][0]["text"] = "Write to jane@lianzi.org."
    for row in curated.corpus["train"][1:30]:
        row["text"] += " and so on" * 20
    curated.task["train"][0] |= {"text": "the same", "label": "a"}
    curated.task["train"][2] |= {"text": "the same", "label": "b"}
    message = complaint(curated, config, tasks, run)
    for expected in (
        "corpus: expected: no rows have personal data in their text "
        "(validate.max_personal_data_share; curate.scrub takes it out); broken by 1 of 41 rows",
        "doc/4 personal_data='email' “Write to jane@lianzi.org.”",
        "expected: the quantiles of the lengths are 1 to 100 at 5%; 10 to 100 at 50%; found {'quantiles'",
        "colour_train: expected: no rows have a text that another label is given to; broken by 2 of 20 rows",
        "train-0 other_label='b' “the same”",
    ):
        assert expected in message


def accepted(curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun) -> ValidateConfig:
    """The parameters once today's data is accepted."""
    validated(curated, config, tasks, run)
    content = (curated.folder / "verdict" / STATISTICS).read_bytes()
    (curated.folder / accepted_name(content)).write_bytes(content)
    return config.model_copy(update={"accepted": accepted_name(content)})


def test_without_accepted_data_the_run_says_that_drift_was_not_checked(
    curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun
) -> None:
    assert validated(curated, config, tasks, run)["drift"] == {}
    assert "drift was not checked: no data is accepted yet (`lianzi accept`)" in run.lines


def test_accepting_the_data_changes_nothing_of_the_verdict_that_others_depend_on(
    curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun
) -> None:
    after = accepted(curated, config, tasks, run)
    before = {path.name: path.read_bytes() for path in (curated.folder / "verdict").iterdir()}
    assert set(validated(curated, after, tasks, run)["drift"].values()) == {0.0}
    assert before == {path.name: path.read_bytes() for path in (curated.folder / "verdict").iterdir()}
    assert run.lines[-1].startswith("drift from the accepted data: 0.000 at most")


def test_data_that_moved_too_far_from_the_accepted_is_refused(
    curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun
) -> None:
    after = accepted(curated, config, tasks, run)
    (curated.folder / "verdict").rename(curated.folder / "earlier")
    for row in curated.corpus["train"][:20]:
        row["source"] = "another"
    message = complaint(curated, after, tasks, run)
    assert "drift: expected: no distribution moved further from the accepted data than 0.25; broken by 1 of" in message
    assert "corpus/source stability_index=" in message
    assert "“doc: 97.6% then, 48.8% now”" in message


def test_rows_with_tags_are_held_to_what_tags_have(
    curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun
) -> None:
    curated.tag()
    curated.task["train"][1]["tags"] = ["B-B", "O", "O"]
    validated(curated, config.model_copy(update={"min_class_share": 0.05}), tasks, run)
    statistics = json.loads((curated.folder / "verdict" / STATISTICS).read_text(encoding="utf-8"))
    assert statistics["tables"]["colour_train"]["type"] == {"B-A": 10, "B-B": 1}


def test_a_tag_too_few_and_a_type_too_rare_stop_the_run(
    curated: Curated, config: ValidateConfig, tasks: Tasks, run: RecordedRun
) -> None:
    curated.tag()
    curated.task["train"][1]["tags"] = ["B-B", "O", "O"]
    curated.task["validation"][2]["tags"].pop()
    told = complaint(curated, config.model_copy(update={"min_class_share": 0.2}), tasks, run)
    assert "colour_validation: expected: every row has a tag for each token" in told
    assert "colour_train: expected: every type has 20.0% of the entities or more" in told
