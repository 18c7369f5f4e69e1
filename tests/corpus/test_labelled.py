"""A task's rows come out clean, apart from each other, and with the labels the train split knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.artifacts import read_manifest
from components.corpus.labelled import Labelled, curate_task
from components.corpus.removals import Removals
from components.errors import DataError
from components.tasks.config import TaskConfig, TextsConfig
from tests.small_kinds import small_config

CLASSIFICATION, REGRESSION, TAGGING = (
    TaskConfig(kind=kind, language="en", max_length=16)
    for kind in ("classification", "regression", "token_classification")
)
SPLITS: dict[str, list[dict[str, Any]]] = {
    "train": [{"text": "red", "label": "a"}, {"text": "blue", "label": "b"}, {"text": "green", "label": "a"}],
    "validation": [{"text": "pink", "label": "a"}],
    "test": [{"text": "grey", "label": "b"}],
}


def task(folder: Path, **splits: list[dict[str, Any]]) -> Labelled:
    rows = folder / "data" / "tasks" / "colour"
    rows.mkdir(parents=True)
    for split, content in (SPLITS | splits).items():
        if content:
            lines = "".join(json.dumps(row) + "\n" for row in content)
            (rows / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return curate_task(CLASSIFICATION, rows, folder / "data", folder / "out", Removals())


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out" / f"{name}.jsonl").read_text("utf-8").splitlines()]


def test_labelled_rows_are_scrubbed_where_that_is_asked_for(tmp_path: Path) -> None:
    mail = {"text": "red, says jane@lianzi.org", "label": "a"}
    code = {"text": 'def f():\n    return "+1 212 555 0187", "x"\n', "label": "b"}
    found = task(tmp_path / "left", train=[mail, code, *SPLITS["train"][1:]])
    assert (found.scrubbed, rows(tmp_path / "left", "train")[0]["text"]) == (0, mail["text"])
    folder = tmp_path / "left" / "data"
    raw, clean_out = folder / "tasks" / "colour", tmp_path / "clean" / "out"
    again = curate_task(CLASSIFICATION, raw, folder, clean_out, Removals(), ["email", "phone"])
    clean = [row["text"] for row in rows(tmp_path / "clean", "train")]
    assert clean[:2] == ["red, says <EMAIL>", code["text"].rstrip()]
    assert (again.scrubbed, again.metrics()["scrubbed"]) == (1, 1)
    assert "personal data was taken out of 1 rows" in again.remarks()


@pytest.mark.parametrize(
    ("kind", "answer", "clean"),
    [
        ("translation", {"target": "ask jane@lianzi.org"}, {"target": "ask <EMAIL>"}),
        (
            "retrieval",
            {"answer": "ask jane@lianzi.org", "negatives": ["call +1 212 555 0187", "ask jack@lianzi.org"]},
            {"answer": "ask <EMAIL>", "negatives": ["call <PHONE>"]},
        ),
    ],
)
def test_texts_that_a_row_is_answered_with_are_scrubbed_as_well(
    kind: str, answer: dict[str, Any], clean: dict[str, Any], tmp_path: Path
) -> None:
    raw = tmp_path / "data" / "tasks" / "help"
    raw.mkdir(parents=True)
    for split in SPLITS:
        other = {"text": f"{split} again", **{name: f"{split} other" for name in answer if name != "negatives"}}
        lines = "".join(json.dumps(row) + "\n" for row in ({"text": f"who in {split}", **answer}, other))
        (raw / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    found = curate_task(small_config(kind), raw, tmp_path / "data", tmp_path / "out", Removals(), ["email", "phone"])
    assert found.scrubbed == 3
    assert rows(tmp_path, "train")[0].items() >= clean.items()


def test_rows_and_labels_are_written(tmp_path: Path) -> None:
    found = task(tmp_path)
    assert list(found.task.labels) == ["a", "b"] == read_manifest(tmp_path / "out", "task")["labels"]
    assert rows(tmp_path, "test") == [{"id": "test/line-1", "text": "grey", "label": "b"}]
    assert found.kept == {"train": 3, "validation": 1, "test": 1}


def test_rows_that_stand_in_a_held_out_split_go_to_quarantine(tmp_path: Path) -> None:
    train = [*SPLITS["train"], {"text": "grey", "label": "b"}, {"text": " pink\r\n", "label": "a"}]
    validation = [*SPLITS["validation"], {"text": "grey", "label": "b"}]
    found = task(tmp_path, train=train, validation=validation)
    assert found.quarantined == {"in_task_test": 2, "in_task_validation": 1}
    places = {(row["file"], row["line"], row["reason"]) for row in rows(tmp_path, "quarantine")}
    assert places == {
        ("tasks/colour/train.jsonl", 4, "in_task_test"),
        ("tasks/colour/train.jsonl", 5, "in_task_validation"),
        ("tasks/colour/validation.jsonl", 2, "in_task_test"),
    }


def test_every_splits_rows_are_accounted_for_in_a_line(tmp_path: Path) -> None:
    train = [*SPLITS["train"], {"text": "grey", "label": "b"}, {"text": "red", "label": "a", "text_b": "x"}]
    found = task(tmp_path, train=train)
    assert found.read == {"train": 5, "validation": 1, "test": 1}
    assert found.rejected == {"train": {"in_task_test": 1, "duplicate": 1}, "validation": {}, "test": {}}
    assert found.account() == (
        "5 of 7 labelled rows kept (train 3 of 5, validation 1 of 1, test 1 of 1); quarantined: duplicate 1, "
        "in_task_test 1"
    )


def test_labels_missing_from_a_split_and_columns_not_used_are_named(tmp_path: Path) -> None:
    found = task(tmp_path, train=[*SPLITS["train"], {"text": "black", "label": "c", "text_b": "x"}])
    assert found.remarks() == [
        "no test row has the label 'a', 'c'",
        "no validation row has the label 'b', 'c'",
        "train.jsonl: the column 'text_b' is not used; used are id, text, label",
    ]


def test_counts_add_up(tmp_path: Path) -> None:
    task(tmp_path, train=[*SPLITS["train"], {"text": "red", "label": "a"}, {"text": " ", "label": "a"}])
    counts = read_manifest(tmp_path / "out", "task")["counts"]
    assert counts == {"read": 7, "kept": SPLIT_SIZES, "duplicate": 1, "empty": 1}


def test_a_text_with_two_labels_is_told_from_one_that_stands_twice(tmp_path: Path) -> None:
    found = task(tmp_path, train=[*SPLITS["train"], {"text": "red", "label": "b"}])
    assert found.quarantined == {"label_conflict": 1}


def test_a_copy_that_differs_in_an_address_or_in_its_decoding_is_a_copy(tmp_path: Path) -> None:
    test = [
        *SPLITS["test"],
        {"text": "write to ahab@pequod.example.org", "label": "b"},
        {"text": "café’s", "label": "b"},
    ]
    copies = [{"text": "write to <EMAIL>", "label": "b"}, {"text": "cafÃ©â€™s", "label": "b"}]
    found = task(tmp_path, train=[*SPLITS["train"], *copies], test=test)
    assert found.quarantined == {"in_task_test": 2}


def test_removed_rows_stay_out_of_a_task(tmp_path: Path) -> None:
    removals = Removals(frozenset({("tasks", "colour/train/line-1")}))
    found = task(tmp_path)
    again = curate_task(
        CLASSIFICATION, tmp_path / "data" / "tasks" / "colour", tmp_path / "data", tmp_path / "again", removals
    )
    assert again.quarantined == {"removed": 1}
    assert again.kept["train"] == found.kept["train"] - 1


SPLIT_SIZES = {"train": 3, "validation": 1, "test": 1}


def test_whole_numbers_do_as_labels(tmp_path: Path) -> None:
    splits = {name: [row | {"label": ord(row["label"])} for row in content] for name, content in SPLITS.items()}
    assert task(tmp_path, **splits).task.labels == ("97", "98")


@pytest.mark.parametrize(
    ("yes", "no", "labels"),
    [
        (True, False, ["false", "true"]),
        (1.0, 0.0, ["0", "1"]),
        (Decimal("1.00"), Decimal("0.00"), ["0", "1"]),
        (1.5, 2.0, ["1.5", "2"]),
    ],
)
def test_a_label_has_one_form_in_every_format(tmp_path: Path, yes: Any, no: Any, labels: list[str]) -> None:
    folder = tmp_path / "data" / "tasks" / "colour"
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"text": ["red", "blue"], "label": [yes, no]}), folder / "train.parquet")
    (folder / "validation.csv").write_text(f"text,label\npink,{yes}\ngold,{no}\n")
    (folder / "test.jsonl").write_text(json.dumps({"text": "grey", "label": yes}, default=float) + "\n")
    found = curate_task(CLASSIFICATION, folder, tmp_path / "data", tmp_path / "out", Removals())
    assert list(found.task.labels) == labels
    assert {row["label"] for row in rows(tmp_path, "validation")} == set(labels)


@pytest.mark.parametrize("label", ["01", "1.10", "v1.0", "Untrue", "1.0.0"])
def test_a_label_that_only_looks_like_a_number_stays(tmp_path: Path, label: str) -> None:
    assert label in task(tmp_path, train=[*SPLITS["train"], {"text": "white", "label": label}]).task.labels


def test_a_text_that_was_decoded_wrongly_is_put_right_and_counted(tmp_path: Path) -> None:
    wrong = [
        "cafÃ© au lait, dÃ©jÃ  vu",
        "don\x92t",
        "今天天气真好".encode().decode("gb18030", "ignore"),
        "plain &amp; café",
    ]
    found = task(tmp_path, train=[*SPLITS["train"], *({"text": text, "label": "a"} for text in wrong[:2] + wrong[3:])])
    assert [row["text"] for row in rows(tmp_path, "train")][3:] == [
        "café au lait, déjà vu",
        "don’t",
        "plain &amp; café",
    ]
    assert found.repaired == found.metrics()["repaired"] == read_manifest(tmp_path / "out", "task")["repaired"] == 2


def test_a_text_that_no_decoding_puts_right_goes_to_quarantine(tmp_path: Path) -> None:
    lost = "今天天气真好，我们去公园散步吧。".encode()[:-1].decode("gb18030", "replace")
    found = task(tmp_path, train=[*SPLITS["train"], {"text": lost, "label": "a"}])
    assert found.quarantined == {"broken_encoding": 1}


def test_a_label_that_was_decoded_wrongly_is_the_one_that_was_meant(tmp_path: Path) -> None:
    found = task(
        tmp_path, train=[*SPLITS["train"], {"text": "white", "label": "dÃ©jÃ  vu"}, {"text": "x", "label": "déjà vu"}]
    )
    assert found.task.labels == ("a", "b", "déjà vu")


def test_label_that_only_the_test_split_has_is_named_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"test\.jsonl:2: label 'c' is not among the labels\nknown from the train rows: a, b"
    ):
        task(tmp_path, test=[*SPLITS["test"], {"text": "white", "label": "c"}])


def test_row_without_label_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.jsonl:1: no 'label'"):
        task(tmp_path, train=[{"text": "red"}])


@pytest.mark.parametrize("label", ["", "  ", None, float("nan")])
def test_empty_label_is_named(tmp_path: Path, label: object) -> None:
    with pytest.raises(DataError, match=r"validation\.jsonl:1: the label is empty"):
        task(tmp_path, validation=[{"text": "red", "label": label}])


def test_label_that_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"validation\.jsonl:1: 'label' is a list"):
        task(tmp_path, validation=[{"text": "red", "label": ["a"]}])


def test_task_without_test_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"colour: no test rows\nexpected one of test\.jsonl"):
        task(tmp_path, test=[])


def test_task_whose_test_rows_are_all_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test\.jsonl: no test row is left"):
        task(tmp_path, test=[{"text": "", "label": "a"}])


def test_task_with_one_label_is_refused(tmp_path: Path) -> None:
    one = [{"text": "red", "label": "a"}]
    with pytest.raises(DataError, match="every train row has the label 'a'"):
        task(tmp_path, train=one, test=[{"text": "grey", "label": "a"}])


def test_two_files_for_one_split_are_refused(tmp_path: Path) -> None:
    task(tmp_path)
    folder = tmp_path / "data" / "tasks" / "colour"
    (folder / "test.csv").write_text("text,label\nx,a\n")
    with pytest.raises(DataError, match=r"test\.csv and test\.jsonl both claim to be the test split"):
        curate_task(CLASSIFICATION, folder, tmp_path / "data", tmp_path / "again", Removals())


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing: missing, and params\.yaml names the task 'nothing'"):
        curate_task(CLASSIFICATION, tmp_path / "nothing", tmp_path, tmp_path / "out", Removals())


def numbers(folder: Path, **splits: list[dict[str, Any]]) -> Labelled:
    """A regression's rows, by default three of train, one of validation, one of test."""
    rows = folder / "data" / "tasks" / "stars"
    rows.mkdir(parents=True)
    given = {
        "train": [{"text": "red", "label": 1}, {"text": "blue", "label": "4.5"}, {"text": "green", "label": 2.5}],
        "validation": [{"text": "pink", "label": -3e2}],
        "test": [{"text": "grey", "label": 0.1}],
    }
    for split, content in (given | splits).items():
        lines = "".join(json.dumps(row) + "\n" for row in content)
        (rows / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    return curate_task(REGRESSION, rows, folder / "data", folder / "out", Removals())


def test_numbers_are_numbers_whatever_way_they_are_written(tmp_path: Path) -> None:
    found = numbers(tmp_path)
    assert [row["label"] for row in rows(tmp_path, "train")] == [1.0, 4.5, 2.5]
    manifest = read_manifest(tmp_path / "out", "task")
    assert (manifest["task_kind"], manifest["mean"]) == ("regression", pytest.approx(8 / 3))
    assert "classes" not in found.metrics()
    assert not any("label" in line for line in found.remarks())


@pytest.mark.parametrize("label", [float("nan"), float("inf"), "-Infinity", "1,5", "", None, True, [1]])
def test_what_is_no_finite_number_is_named_by_file_and_line(tmp_path: Path, label: object) -> None:
    with pytest.raises(DataError, match=r"validation\.jsonl:2: 'label' is .*, not a finite number"):
        numbers(tmp_path, validation=[{"text": "pink", "label": 1}, {"text": "rose", "label": label}])


def test_numbers_that_are_all_the_same_teach_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.jsonl:1: every train row has the number 2"):
        numbers(tmp_path, train=[{"text": "red", "label": 2}, {"text": "blue", "label": 2.0}])


CONLL = {
    "train": """-DOCSTART- -X- O O

Mail NN O O
Ada NNP I-NP B-PER
at IN O O
ada@lianzi.org NN O B-MAIL

Paris . O S-LOC
""",
    "validation": "Ada O O B-PER\n",
    "test": "Mail O O O\n",
}


def tagging(
    folder: Path, files: Mapping[str, str] = MappingProxyType({}), ending: str = "conll", **options: Any
) -> Labelled:
    place = folder / "data" / "tasks" / "names"
    place.mkdir(parents=True)
    for split, content in {**CONLL, **files}.items():
        (place / f"{split}.{ending}").write_text(content, encoding="utf-8")
    config = TAGGING.model_copy(update=options.pop("config", {}))
    return curate_task(config, place, folder / "data", folder / "out", Removals(), **options)


def test_sentences_of_conll_files_are_rows_with_tokens_and_tags(tmp_path: Path) -> None:
    found = tagging(tmp_path)
    assert found.kept == {"train": 2, "validation": 1, "test": 1}
    assert found.train_classes == {"LOC": 1, "MAIL": 1, "PER": 1}
    assert found.missing == {"test": ["LOC", "MAIL", "PER"], "validation": ["LOC", "MAIL"]}
    first, second = rows(tmp_path, "train")
    assert first["text"] == "Mail Ada at ada@lianzi.org"
    assert first["tokens"] == ["Mail", "Ada", "at", "ada", "@", "lianzi", ".", "org"]
    assert first["tags"] == ["O", "B-PER", "O", "B-MAIL", *["I-MAIL"] * 4]
    assert second == {"id": "train/line-8", "text": "Paris", "tokens": ["Paris"], "tags": ["B-LOC"]}


def test_tags_stay_with_their_words_where_a_text_is_scrubbed(tmp_path: Path) -> None:
    found = tagging(tmp_path, scrub=["email"])
    first = rows(tmp_path, "train")[0]
    assert (found.scrubbed, first["text"]) == (1, "Mail Ada at <EMAIL>")
    assert list(zip(first["tokens"], first["tags"], strict=True))[1:] == [
        ("Ada", "B-PER"),
        ("at", "O"),
        ("<", "B-MAIL"),
        ("EMAIL", "I-MAIL"),
        (">", "I-MAIL"),
    ]


def test_the_same_sentence_with_other_tags_is_a_conflict(tmp_path: Path) -> None:
    again = {"train": f"{CONLL['train']}\nParis . O S-LOC\n\nParis . O O\n"}
    assert tagging(tmp_path, again).quarantined == {"duplicate": 1, "label_conflict": 1}


def test_chinese_tokens_stand_side_by_side(tmp_path: Path) -> None:
    chinese = dict.fromkeys(("train", "validation", "test"), "")
    for split, last in zip(chinese, "京海川", strict=True):
        chinese[split] = f"我 O\n在 O\n北 B-LOC\n{last} I-LOC\n"
    tagging(tmp_path, chinese, "txt", config={"language": "zh"})
    row = rows(tmp_path, "train")[0]
    assert (row["text"], row["tags"]) == ("我在北京", ["O", "O", "B-LOC", "I-LOC"])


def test_an_entity_that_ends_within_a_word_goes_to_quarantine(tmp_path: Path) -> None:
    within = {"train": "N B-A\nB O\n\n我 B-A\n"}
    held_out = {"validation": "你 B-A\n", "test": "他 B-A\n"}
    found = tagging(tmp_path, within | held_out, config={"language": "zh"})
    assert found.quarantined == {"entity_within_word": 1}


def test_a_tag_that_no_training_row_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test.conll:1: tag 'B-ORG' is not among the tags"):
        tagging(tmp_path, {"test": "Acme O O B-ORG\n"})


def test_rows_of_two_texts_are_compared_and_held_out_text_by_text(tmp_path: Path) -> None:
    """A word that ends one text, or begins the next, makes two rows; the same two texts are one."""
    folder = tmp_path / "data" / "tasks" / "pairs"
    folder.mkdir(parents=True)
    pairs = {
        "train": [("a", "b c", "yes"), ("a b", "c", "no"), ("a", "b c", "yes"), ("red", "", "no")],
        "validation": [("blue", "sky", "yes")],
        "test": [("grey", "sky", "no")],
    }
    for split, content in pairs.items():
        lines = [json.dumps(dict(zip(("text", "text_pair", "label"), row, strict=True))) + "\n" for row in content]
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    config = TextsConfig(kind="classification", language="en", max_length=16, pair=True)
    found = curate_task(config, folder, tmp_path / "data", tmp_path / "out", Removals())
    assert found.quarantined == {"duplicate": 1, "empty": 1}
    assert found.held_out == {"test": ["grey", "sky"], "validation": ["blue", "sky"]}
    assert rows(tmp_path, "train")[1] == {"id": "train/line-2", "text": "a b", "text_pair": "c", "label": "no"}
    made = read_manifest(tmp_path / "out", "task")
    assert (made["pair"], made["columns"]) == (True, {"text": "text", "text_pair": "text", "label": "label"})


def test_a_held_out_text_is_held_out_with_what_it_is_answered_with(tmp_path: Path) -> None:
    """A document with a test row's translation would teach the answer."""
    folder = tmp_path / "data" / "tasks" / "french"
    folder.mkdir(parents=True)
    for split, (text, target) in {"train": ("a", "un"), "validation": ("b", "deux"), "test": ("c", "trois")}.items():
        (folder / f"{split}.jsonl").write_text(json.dumps({"text": text, "target": target}) + "\n", encoding="utf-8")
    config = TaskConfig(kind="translation", language="en", max_length=16)
    found = curate_task(config, folder, tmp_path / "data", tmp_path / "out", Removals())
    assert found.held_out == {"test": ["c", "trois"], "validation": ["b", "deux"]}


def test_a_question_with_its_choices_in_another_order_is_the_same_one(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "tasks" / "quiz"
    folder.mkdir(parents=True)
    questions = {
        "test": [("which?", ["red", "blue"], 0)],
        "validation": [("who?", ["ann", "bob"], 1)],
        "train": [
            ("which?", ["blue", "red"], 1),
            ("where?", ["here", "there"], 0),
            ("where?", ["there", "here"], 1),
            ("where?", ["there", "here"], 0),
        ],
    }
    for split, content in questions.items():
        lines = [json.dumps(dict(zip(("text", "choices", "label"), row, strict=True))) + "\n" for row in content]
        (folder / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
    config = TaskConfig(kind="multiple_choice", language="en", max_length=16)
    found = curate_task(config, folder, tmp_path / "data", tmp_path / "out", Removals())
    assert found.quarantined == {"duplicate": 1, "in_task_test": 1, "label_conflict": 1}
